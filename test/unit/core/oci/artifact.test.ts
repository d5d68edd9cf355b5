import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { checkContent, readArtifact } from "../../../../src/core/oci/artifact.ts";
import { readDescriptor } from "../../../../src/core/oci/descriptor.ts";
import { SIGNATURE_TYPE } from "../../../../src/core/oci/referrers.ts";
import { DIGEST, digestOf, json } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const EMPTY = "application/vnd.oci.empty.v1+json";
const PAYLOAD = { mediaType: "application/json", digest: digestOf("payload"), size: 7 };
const MANIFEST = {
  artifactType: SIGNATURE_TYPE,
  config: { mediaType: EMPTY, digest: digestOf("{}"), size: 2 },
  layers: [PAYLOAD],
  subject: { mediaType: "x/y", digest: DIGEST, size: 3 },
  annotations: { a: "b" },
};
const read = (changes: object) => readArtifact(json({ ...MANIFEST, ...changes }), DIGEST, SIGNATURE_TYPE);

describe("checkContent", () => {
  const descriptor = (changes: object) =>
    readDescriptor({ digest: digestOf("payload"), size: 7, ...changes }, "registry.bad_response", "it");

  it("takes the bytes that the descriptor names, and no others", () => {
    const check = (changes: object, text: string) =>
      codeOf(() => checkContent(toUtf8(text), descriptor(changes), "it"));
    expect(check({}, "payload")).toBe("none");
    expect(check({}, "payloaD")).toBe("registry.bad_response");
    // The digest decides: registries are known to add up sizes, or to take other ones.
    expect(check({ size: 8 }, "payload")).toBe("none");
    expect(check({ size: 6 }, "payload")).toBe("none");
  });
});

describe("readArtifact", () => {
  it("reads annotations and the first layer", () => {
    const artifact = read({ layers: [PAYLOAD, { digest: "not looked at" }] });
    expect(artifact?.annotations).toEqual({ a: "b" });
    expect(artifact?.payload).toMatchObject({ digest: PAYLOAD.digest });
  });

  it("goes by the manifest's artifactType, then by its config's mediaType", () => {
    const config = (mediaType: unknown) => ({ ...MANIFEST.config, mediaType });
    for (const artifactType of [undefined, "", EMPTY, 1]) {
      expect(read({ artifactType, config: config(SIGNATURE_TYPE) })).toBeDefined();
      expect(read({ artifactType, config: config(EMPTY) })).toBeUndefined();
      expect(read({ artifactType, config: config("application/vnd.oci.image.config.v1+json") })).toBeUndefined();
      expect(read({ artifactType, config: null })).toBeUndefined();
    }
    expect(read({ artifactType: "application/spdx+json", config: config(SIGNATURE_TYPE) })).toBeUndefined();
  });

  it("refuses a manifest about another image, or about none", () => {
    for (const subject of [undefined, null, {}, { ...MANIFEST.subject, digest: digestOf("other") }]) {
      expect(codeOf(() => read({ subject }))).toBe("registry.bad_response");
    }
  });

  it("does without a layer, and refuses one that is no descriptor", () => {
    for (const layers of [undefined, [], null, {}]) expect(read({ layers })?.payload).toBeUndefined();
    for (const layers of [[null], [{}], [{ ...PAYLOAD, digest: "x" }]]) {
      expect(codeOf(() => read({ layers }))).toBe("registry.bad_response");
    }
  });

  it.each(["", "null", "[]", "1", "{"])("refuses what is no manifest: %j", (text) => {
    expect(codeOf(() => readArtifact(toUtf8(text), DIGEST, SIGNATURE_TYPE))).toBe("registry.bad_response");
  });
});
