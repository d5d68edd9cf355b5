import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isSha1, signatureAlgorithm } from "../../../../src/core/encoding/certificate-signature.ts";
import { CertificateAuthority } from "../../../support/certificates.ts";

const KINDS = [
  ["P-256", "sha256", "1.2.840.10045.4.3.2"],
  ["P-256", "sha1", "1.2.840.10045.4.1"],
  ["RSA", "sha256", "1.2.840.113549.1.1.11"],
  ["RSA", "sha1", "1.2.840.113549.1.1.5"],
] as const;

const derOf = (pem: string) => Uint8Array.from(new X509Certificate(pem).raw);
const tlv = (tag: number, ...contents: readonly (readonly number[])[]): number[] => {
  const content = contents.flat();
  return [tag, content.length, ...content];
};
/** With just enough in it; the parts may be replaced. */
const certificate = (parts: { identifier?: readonly number[]; after?: readonly number[] } = {}): number[] => {
  const { identifier = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], after = [] } = parts;
  return tlv(0x30, tlv(0x30), tlv(0x30, tlv(0x06, identifier)), tlv(0x03, [0]), after);
};
const read = (bytes: readonly number[]) => signatureAlgorithm(Uint8Array.from(bytes));

describe("the algorithm of a certificate's signature", () => {
  it.each(KINDS)("is read: %s, %s", (key, hash, expected) => {
    const authority = new CertificateAuthority("A", undefined, { key, hash });
    const issued = authority.issue({ names: ["a.example"], hash });
    for (const pem of [authority.cert, issued.cert]) {
      const algorithm = signatureAlgorithm(derOf(pem));
      expect(algorithm).toBe(expected);
      expect(isSha1(algorithm ?? "")).toBe(hash === "sha1");
    }
  });

  it("is that of the signature, not that of the key", () => {
    const old = new CertificateAuthority("old", undefined, { key: "RSA", hash: "sha1" });
    expect(signatureAlgorithm(derOf(old.issue({ names: ["a.example"], key: "P-256" }).cert))).toBe(
      "1.2.840.113549.1.1.11",
    );
  });

  it.each(["1.3.14.3.2.29", "1.2.840.10040.4.3"])("%s signs a SHA-1 too", (algorithm) => {
    expect(isSha1(algorithm)).toBe(true);
  });

  it("is read of the shortest certificate", () => {
    expect(read(certificate())).toBe("1.2.840.10045.4.1");
    expect(read(certificate({ identifier: [0x55, 0x04] }))).toBe("2.5.4");
    expect(read(certificate({ identifier: [0x88, 0x37] }))).toBe("2.999");
  });

  it.each<[string, readonly number[]]>([
    ["nothing", []],
    ["a tag alone", [0x30]],
    ["another tag", [0x31, ...certificate().slice(1)]],
    ["a byte behind it", [...certificate(), 0]],
    ["a value behind the signature", certificate({ after: [0x05, 0x00] })],
    ["a length beyond the end", [0x30, 0x7f, ...certificate().slice(2)]],
    ["the indefinite form of a length", [0x30, 0x80, ...certificate().slice(2), 0, 0]],
    ["a length in a longer form than it needs", [0x30, 0x81, ...certificate().slice(1)]],
    ["a length with a zero before it", [0x30, 0x82, 0, ...certificate().slice(1)]],
    ["a length of four bytes", [0x30, 0x84, 0, 0, 0, ...certificate().slice(1)]],
    ["an empty identifier", certificate({ identifier: [] })],
    ["an identifier that is cut off", certificate({ identifier: [0x2a, 0x86] })],
    ["an arc with a zero before it", certificate({ identifier: [0x2a, 0x80, 0x01] })],
    ["an arc of any size", certificate({ identifier: [0x2a, ...Array.from({ length: 12 }, () => 0xff), 0x7f] })],
    ["an identifier of any length", certificate({ identifier: Array.from({ length: 40 }, () => 1) })],
  ])("is nobody's where these are the bytes: %s", (_, bytes) => {
    expect(read(bytes)).toBeUndefined();
  });

  it("is nobody's where a certificate is cut off anywhere", () => {
    const der = derOf(new CertificateAuthority().cert);
    for (let length = 0; length < der.length; length++)
      expect(signatureAlgorithm(der.subarray(0, length)), `${length}`).toBeUndefined();
  });
});
