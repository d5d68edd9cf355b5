import { describe, expect, it } from "vitest";
import { parseDigest } from "../../../../src/core/oci/digest.ts";
import { lookasideSignature, simpleSigningPayload } from "../../../../src/core/oci/simple-signing.ts";

const digest = parseDigest(`sha256:${"ab".repeat(32)}`, "the test");

describe("simpleSigningPayload", () => {
  it("is the JSON that containers/image and cosign read, with its keys in order", () => {
    const optional = { timestamp: 1, creator: "atcr-verify", more: { b: [{ d: 1, c: 2 }], a: null } };
    expect(Buffer.from(simpleSigningPayload({ digest, reference: "atcr.io/a/b", optional })).toString()).toBe(
      `{"critical":{"identity":{"docker-reference":"atcr.io/a/b"},"image":{"docker-manifest-digest":"${digest}"},` +
        '"type":"cosign container image signature"},' +
        '"optional":{"creator":"atcr-verify","more":{"a":null,"b":[{"c":2,"d":1}]},"timestamp":1}}',
    );
  });
});

describe("lookasideSignature", () => {
  it("begins with the name of its format and has payload and signature in base64", () => {
    const bytes = Buffer.from(lookasideSignature(Uint8Array.of(1, 2), Uint8Array.of(3)));
    expect(bytes.subarray(0, 15)).toEqual(Buffer.from("\0sigstore-json\n"));
    expect(JSON.parse(bytes.subarray(15).toString())).toEqual({
      mimeType: "application/vnd.dev.cosign.simplesigning.v1+json",
      payload: "AQI=",
      annotations: { "dev.cosignproject.cosign/signature": "Aw==" },
    });
  });
});
