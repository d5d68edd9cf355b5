import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkAuthorities } from "../../../src/doctor/authority-checks.ts";
import { CertificateAuthority } from "../../support/certificates.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

const root = makeTemporaryDirectory("doctor-authorities");
afterAll(() => rmSync(root, { recursive: true, force: true }));

const [one, two, three] = [1, 2, 3].map((n) => new CertificateAuthority(`number ${n}`).cert.trim());
const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const path = join(root, "ca.pem");
const configured = (text: string) => [{ path: "/configured.pem", text }];

function check(text: string, further: Parameters<typeof checkAuthorities>[1] = []) {
  writeFileSync(path, text);
  return checkAuthorities({ SSL_CERT_FILE: path, SSL_CERT_DIR: join(root, "none") }, further);
}

describe("certificate authorities", () => {
  it("are counted as they are trusted", async () => {
    expect(await check(`${one}${two}\n${one}`)).toMatchObject({
      level: "ok",
      found: expect.stringMatching(/^2 certificate authorities of the system are/),
    });
    expect(await check(`${one}`, configured(`${three}`))).toMatchObject({
      level: "ok",
      found: expect.stringMatching(/^1 .* of the system and 1 of \/configured\.pem are/),
    });
  });

  it("are a warning where one cannot be read, with its place", async () => {
    const found = expect.stringContaining(`${path}:1: `);
    expect(await check(`${BROKEN}${one}`)).toMatchObject({ level: "warning", found });
    expect((await check(`${BROKEN}${one}`)).found).toMatch(/^1 /);
    expect((await check(`${one}`, configured(`${BROKEN}${two}`))).level).toBe("warning");
  });

  it("are a problem where there is none, and may be meant where the configuration names some", async () => {
    expect((await check(BROKEN)).level).toBe("problem");
    expect((await check("", configured(BROKEN))).level).toBe("problem");
    expect((await check("", configured(`${one}`))).level).toBe("warning");
    const missing = { SSL_CERT_FILE: join(root, "missing"), SSL_CERT_DIR: join(root, "none") };
    expect((await checkAuthorities(missing, [])).found).toContain("missing");
  });
});
