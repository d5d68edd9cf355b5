import { describe, expect, it } from "vitest";
import { fromBase64url, toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { parseDateTime } from "../../../../src/core/encoding/time.ts";
import {
  notationEnvelope,
  notationInput,
  notationManifest,
  notationSigningInput,
} from "../../../../src/core/oci/notation-signature.ts";
import { DIGEST } from "../../../support/evidence.ts";

const AT = parseDateTime("2026-11-30T00:00:00.5Z") ?? 0;
const image = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: DIGEST, size: 7 };
const claims = { image, metadata: { a: "b" }, algorithm: "ES256", signedAt: AT, expiresAt: AT + 3_600_000 } as const;
const decoded = (text: string) => JSON.parse(new TextDecoder().decode(fromBase64url(text)));
const parsed = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

describe("a signature for Notation", () => {
  it("protects the algorithm, the times in whole seconds, and what is critical", () => {
    const { input, payload } = notationInput(claims);
    expect(decoded(input.protected)).toEqual({
      alg: "ES256",
      cty: "application/vnd.cncf.notary.payload.v1+json",
      "io.cncf.notary.signingScheme": "notary.x509",
      "io.cncf.notary.signingTime": "2026-11-30T00:00:00Z",
      "io.cncf.notary.expiry": "2026-11-30T01:00:00Z",
      crit: ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"],
    });
    expect(decoded(input.payload)).toEqual({ targetArtifact: { ...image, annotations: { a: "b" } } });
    expect(parsed(payload)).toEqual(decoded(input.payload));
    expect(notationSigningInput(input)).toEqual(toUtf8(`${input.protected}.${input.payload}`));
  });

  it("is an envelope with the certificates, in an artifact that refers to the image", () => {
    const { input } = notationInput(claims);
    const envelope = notationEnvelope(input, Uint8Array.of(255, 254, 253, 252), [Uint8Array.of(1)], "atcr-verify/1");
    expect(envelope.descriptor.mediaType).toBe("application/jose+json");
    expect(parsed(envelope.bytes)).toEqual({
      ...input,
      header: { x5c: ["AQ=="], "io.cncf.notary.signingAgent": "atcr-verify/1" },
      signature: "__79_A",
    });
    const manifest = notationManifest(image, envelope, [Uint8Array.of(1)], AT);
    expect(parsed(manifest.bytes)).toMatchObject({
      artifactType: "application/vnd.cncf.notary.signature",
      config: { mediaType: "application/vnd.oci.empty.v1+json" },
      layers: [envelope.descriptor],
      subject: image,
      annotations: {
        "io.cncf.notary.x509chain.thumbprint#S256":
          '["4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"]',
      },
    });
    expect(manifest.descriptor).toMatchObject({ artifactType: "application/vnd.cncf.notary.signature" });
  });
});
