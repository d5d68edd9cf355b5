import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkSignatures } from "../../../src/doctor/signature-checks.ts";
import { CertificateAuthority } from "../../support/certificates.ts";

const certificate = (name: string, hash: "sha1" | "sha256") => {
  const { cert } = new CertificateAuthority().issue({ names: [name], hash });
  return { name, der: new X509Certificate(cert).raw };
};
const [good, bad, worse] = [
  certificate("good", "sha256"),
  certificate("bad", "sha1"),
  certificate("worse", "sha1"),
] as const;

describe("signatures of certificates", () => {
  it("are one finding for all services where none is a SHA-1's, and none where none was asked", () => {
    const shown = new Map([
      ["https://a.example", { chain: [good, good] }],
      ["https://b.example", { chain: [] }],
    ]);
    expect(checkSignatures(shown).map(({ level }) => level)).toEqual(["ok"]);
    expect(checkSignatures(new Map())).toEqual([]);
  });

  it("are a finding of each service that has one of a SHA-1, anywhere in its chain", () => {
    const shown = new Map([
      ["https://a.example", { chain: [good, bad, worse] }],
      ["https://b.example", { chain: [good] }],
      ["https://c.example", { chain: [bad] }],
    ]);
    const found = checkSignatures(shown);
    expect(found.map(({ level }) => level)).toEqual(["warning", "warning"]);
    expect(found[0]?.found).toContain("(bad, worse)");
  });

  it("are not known of what could not be seen, which is said once for each cause", () => {
    const found = checkSignatures(
      new Map([
        ["https://a.example", { unseen: "one cause" }],
        ["https://b.example", { unseen: "another" }],
        ["https://c.example", { unseen: "one cause" }],
        ["https://d.example", { chain: [good] }],
      ]),
    );
    expect(found.map(({ level, found: text }) => [level, text.includes("is not known")])).toEqual([
      ["warning", true],
      ["warning", true],
    ]);
    expect(found[0]?.found).toContain("https://a.example, https://c.example");
  });
});
