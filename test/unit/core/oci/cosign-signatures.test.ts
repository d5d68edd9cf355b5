import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import {
  addCosignSignature,
  cosignLayer,
  cosignTag,
  hasCosignSignature,
} from "../../../../src/core/oci/cosign-signatures.ts";
import { DIGEST, json } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const parsed = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const layer = cosignLayer(toUtf8("{}"), Uint8Array.of(1, 2, 3));
const other = cosignLayer(toUtf8("{ }"), Uint8Array.of(4));
const LAYER = {
  mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
  annotations: { "dev.cosignproject.cosign/signature": "AQID" },
};

describe("cosign's signatures of an image", () => {
  it("are at a tag of the digest", () => {
    expect(cosignTag(DIGEST)).toBe(`sha256-${DIGEST.slice("sha256:".length)}.sig`);
  });

  it("are layers of one manifest, with a config that lists their digests", () => {
    const { manifest, config } = addCosignSignature(undefined, layer);
    expect(parsed(manifest.bytes)).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: config.descriptor,
      layers: [LAYER],
    });
    expect(parsed(config.bytes).rootfs).toEqual({ type: "layers", diff_ids: [LAYER.digest] });
  });

  it("keep those of others, with what is not known of them", () => {
    const theirs = {
      ...LAYER,
      digest: `sha256:${"0".repeat(64)}`,
      annotations: { "dev.sigstore.cosign/bundle": "{}" },
    };
    const before = { schemaVersion: 2, annotations: { by: "others" }, layers: [theirs] };
    const { manifest } = addCosignSignature(json(before), layer);
    expect(parsed(manifest.bytes)).toMatchObject({ annotations: { by: "others" }, layers: [theirs, LAYER] });
  });

  it.each([
    ["no JSON", toUtf8("{")],
    ["no object", json([])],
    ["an image", json({ layers: [{ ...LAYER, mediaType: "application/vnd.oci.image.layer.v1.tar" }] })],
    ["layers that are no list", json({ layers: {} })],
    ["a layer without a digest", json({ layers: [{ ...LAYER, digest: "sha512:00" }] })],
    ["1,000 signatures", json({ layers: Array.from({ length: 1000 }, () => LAYER) })],
  ])("do not replace %s", (_, bytes) => {
    expect(codeOf(() => addCosignSignature(bytes, layer))).toBe("registry.bad_response");
  });

  it("are found again by digest and signature", () => {
    const { manifest } = addCosignSignature(addCosignSignature(undefined, layer).manifest.bytes, other);
    expect([layer, other].map((one) => hasCosignSignature(manifest.bytes, one))).toEqual([true, true]);
    const alone = addCosignSignature(undefined, other).manifest.bytes;
    expect(hasCosignSignature(alone, layer)).toBe(false);
    expect(hasCosignSignature(undefined, layer)).toBe(false);
    expect(hasCosignSignature(alone, cosignLayer(toUtf8("another payload"), Uint8Array.of(4)))).toBe(false);
    expect(hasCosignSignature(alone, cosignLayer(toUtf8("{ }"), Uint8Array.of(5)))).toBe(false);
  });
});
