import { describe, expect, it } from "vitest";
import { checkAuthority } from "../../../src/doctor/cluster-authority.ts";
import { selfSigned } from "../../support/certificates.ts";

const DAY = 86_400_000;
const NOW = Date.now();

function pem(from: number, to: number): string {
  return selfSigned({ names: ["a.test"], notBefore: NOW + from * DAY, notAfter: NOW + to * DAY }).cert;
}

const level = (text: string | undefined) =>
  checkAuthority(text === undefined ? undefined : Buffer.from(text).toString("base64"), NOW).level;

describe("a caBundle", () => {
  it.each<[string, string | undefined, string]>([
    ["valid", pem(-1, 60), "ok"],
    ["with an old one beside it", `${pem(-60, -1)}\n${pem(-1, 60)}`, "ok"],
    ["that ends soon", pem(-1, 10), "warning"],
    ["that ended", pem(-60, -1), "problem"],
    ["that is not valid yet", pem(1, 60), "problem"],
    ["missing", undefined, "warning"],
    ["empty", "", "warning"],
    ["of no certificate", "caBundle", "problem"],
    [
      "of a certificate that is none",
      `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${pem(-1, 60)}`,
      "problem",
    ],
    ["cut off", pem(-1, 60).slice(0, 200), "problem"],
  ])("%s", (_, text, expected) => {
    expect(level(text)).toBe(expected);
  });
});
