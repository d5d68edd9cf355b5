import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { certificateUses } from "../../../../src/core/encoding/certificate-extensions.ts";
import { CertificateAuthority, CODE_SIGNING, selfSigned } from "../../../support/certificates.ts";

const der = (pem: string) => new Uint8Array(new X509Certificate(pem).raw);
/** Replaces the one place of these bytes. */
function changed(bytes: Uint8Array, from: readonly number[], to: readonly number[]): Uint8Array {
  const at = Buffer.from(bytes).indexOf(Buffer.from(from));
  expect(at).toBeGreaterThan(0);
  const copy = Uint8Array.from(bytes);
  copy.set(to, at);
  return copy;
}

describe("certificateUses", () => {
  it("reads what the key of a certificate is for", () => {
    const { cert } = selfSigned({ names: ["Example"], keyUsage: 0b1100_0000, purposes: [CODE_SIGNING] });
    expect(certificateUses(der(cert))).toEqual({
      basicConstraints: { isCritical: true, isCa: false },
      keyUsage: { isCritical: true, uses: ["digitalSignature", "nonRepudiation"] },
      extendedKeyUsage: [CODE_SIGNING],
    });
    expect(certificateUses(der(new CertificateAuthority().cert))).toEqual({
      basicConstraints: { isCritical: true, isCa: true },
      keyUsage: { isCritical: true, uses: ["keyCertSign", "cRLSign"] },
    });
  });

  it("takes nothing that is not strict DER", () => {
    const { cert } = selfSigned({ names: ["Example"], purposes: [CODE_SIGNING] });
    const good = der(cert);
    const basicConstraints = [0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff];
    const keyUsage = [0x06, 0x03, 0x55, 0x1d, 0x0f];
    const bad = {
      nothing: new Uint8Array(),
      "a byte too many": Uint8Array.of(...good, 0),
      "a byte too few": good.subarray(0, -1),
      "a boolean that is not 0xff": changed(good, basicConstraints, basicConstraints.with(-1, 1)),
      "an extension twice": changed(good, basicConstraints, basicConstraints.with(4, keyUsage[4] ?? 0)),
    };
    for (const [what, bytes] of Object.entries(bad)) expect([what, certificateUses(bytes)]).toEqual([what, undefined]);
  });
});
