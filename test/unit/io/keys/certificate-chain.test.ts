import { createPublicKey } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Rejection } from "../../../../src/core/rejection.ts";
import { readSigningChain } from "../../../../src/io/keys/certificate-chain.ts";
import {
  CertificateAuthority,
  type CertificateOptions,
  CODE_SIGNING,
  selfSigned,
} from "../../../support/certificates.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const folder = makeTemporaryDirectory("chains");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TO_SIGN: CertificateOptions = { names: ["Example"], purposes: [CODE_SIGNING] };
const root = new CertificateAuthority("Root");
const issuing = new CertificateAuthority("Issuing", root);
const leaf = issuing.issue(TO_SIGN);
const spki = (key: string) => new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));

/** The number of certificates, or the message of the rejection. */
function read(chain: string, key: string, from = Date.now(), until = from): number | string {
  const path = join(folder, "chain.pem");
  writeFileSync(path, chain);
  try {
    return readSigningChain(path, spki(key), { from, until }).length;
  } catch (error) {
    expect(error).toBeInstanceOf(Rejection);
    expect((error as Rejection).code).toBe("input.malformed");
    return (error as Rejection).message;
  }
}

const alone = (options: Partial<CertificateOptions>): number | string => {
  const { cert, key } = selfSigned({ ...TO_SIGN, ...options });
  return read(cert, key);
};

/** A chain whose issuer says this of its key. */
function under(extensions: "no authority" | "not critical" | "may not sign certificates"): number | string {
  const issuer = new CertificateAuthority("Issuing", root, { extensions });
  const { cert, key } = issuer.issue(TO_SIGN);
  return read(`${cert}${issuer.cert}${root.cert}`, key);
}

/** A certificate whose issuer has its name. */
function forged(): number | string {
  const { cert, key } = new CertificateAuthority("Example").issue(TO_SIGN);
  return read(cert, key);
}

describe("a chain for Notation", () => {
  it("is one certificate that signed itself, or leads to a root", () => {
    expect(alone({})).toBe(1);
    expect(alone({ purposes: [] })).toBe(1);
    expect(read(`text\n${leaf.cert}${issuing.cert}${root.cert}`, leaf.key)).toBe(3);
  });

  it("obeys a pathLenConstraint", () => {
    const short = new CertificateAuthority("Root", undefined, { extensions: "none below" });
    const direct = short.issue(TO_SIGN);
    expect(read(`${direct.cert}${short.cert}`, direct.key)).toBe(2);
    const between = new CertificateAuthority("Issuing", short);
    const { cert, key } = between.issue(TO_SIGN);
    expect(read(`${cert}${between.cert}${short.cert}`, key)).toContain("pathLenConstraint is 0");
  });

  it("is refused with all that is wrong with its first bad certificate", () => {
    const usual = selfSigned({ ...TO_SIGN, isCa: true });
    const found = read(usual.cert, usual.key, Date.now(), Date.now() + 31 * 86_400_000);
    expect(found).toContain("that of an authority");
    expect(found).toContain("-addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature");
    expect(found).toContain("by --expires");
  });

  it.each<[string, () => number | string, string]>([
    ["no certificate", () => read("", leaf.key), "has no PEM certificate"],
    ["another key", () => read(selfSigned(TO_SIGN).cert, leaf.key), "not the one that signs"],
    ["the root first", () => read(`${root.cert}${issuing.cert}${leaf.cert}`, leaf.key), "not the one that signs"],
    ["no root", () => read(`${leaf.cert}${issuing.cert}`, leaf.key), "not self-signed"],
    ["another issuer", () => read(`${leaf.cert}${root.cert}`, leaf.key), "not issued by the certificate that follows"],
    [
      "an issuer of that name with another key",
      () => read(`${leaf.cert}${new CertificateAuthority("Issuing").cert}`, leaf.key),
      "not issued by the certificate that follows",
    ],
    ["a second root", () => read(`${leaf.cert}${issuing.cert}${root.cert}${root.cert}`, leaf.key), "others follow"],
    [
      "expired",
      () => read(`${leaf.cert}${issuing.cert}${root.cert}`, leaf.key, Date.now() + 31 * 86_400_000),
      "valid from",
    ],
    [
      "shorter than the signature",
      () => read(`${leaf.cert}${issuing.cert}${root.cert}`, leaf.key, Date.now(), Date.now() + 31 * 86_400_000),
      "before the signature would by --expires",
    ],
    [
      "not yet valid",
      () => read(`${leaf.cert}${issuing.cert}${root.cert}`, leaf.key, Date.now() - 7_200_000),
      "valid from",
    ],
    ["an authority as leaf", () => alone({ isCa: true }), "that of an authority"],
    ["no digitalSignature", () => alone({ keyUsage: 0b0100_0000 }), "lacks digitalSignature"],
    ["keyCertSign", () => alone({ keyUsage: 0b1000_0100 }), "keyUsage has keyCertSign"],
    ["a server's", () => alone({ purposes: [CODE_SIGNING, "1.3.6.1.5.5.7.3.1"] }), "has serverAuth"],
    ["any purpose", () => alone({ purposes: ["2.5.29.37.0"] }), "has anyExtendedKeyUsage"],
    ["SHA-1", () => alone({ hash: "sha1" }), "SHA-1"],
    ["a keyUsage that is not critical", () => alone({ isUsageCritical: false }), "no critical keyUsage"],
    ["a root of that name that another key signed", () => forged(), "not self-signed"],
    ["an issuer that is no authority", () => under("no authority"), "not that of an authority"],
    ["an issuer whose basicConstraints are not critical", () => under("not critical"), "not that of an authority"],
    ["an issuer that may not sign certificates", () => under("may not sign certificates"), "keyCertSign"],
    ["too many", () => read(leaf.cert.repeat(9), leaf.key), "at most 8"],
    ["a broken one", () => read(leaf.cert.replace(/\n[^-]{10}/, "\n"), leaf.key), "cannot be read"],
  ])("is refused: %s", (_, found, why) => {
    expect(found()).toContain(why);
  });
});
