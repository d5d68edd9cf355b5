import { toBase64 } from "../encoding/bytes.ts";
import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { reject } from "../rejection.ts";
import { type Digest, digestHex, isDigest } from "./digest.ts";
import { SIGNATURE_ANNOTATION, SIMPLE_SIGNING_TYPE } from "./simple-signing.ts";
import { MANIFEST_TYPE, type Stored, stored, storedJson } from "./stored.ts";

/** Signatures of one image that cosign reads; with more, it reads none (cosign, pkg/oci/remote/signatures.go). */
const MAX_SIGNATURES = 1000;
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";

/** The manifest at cosign's tag, with one more signature. */
export interface CosignSignatures {
  readonly manifest: Stored;
  readonly config: Stored;
}

/** The tag at which cosign looks for signatures of a digest (cosign, specs/SIGNATURE_SPEC.md, "Tag-based discovery"). */
export function cosignTag(digest: Digest): string {
  return `sha256-${digestHex(digest)}.sig`;
}

/** The layer of one signature. @param payload of simpleSigningPayload */
export function cosignLayer(payload: Uint8Array, signature: Uint8Array): Stored {
  const layer = stored(SIMPLE_SIGNING_TYPE, payload);
  return {
    ...layer,
    descriptor: { ...layer.descriptor, annotations: { [SIGNATURE_ANNOTATION]: toBase64(signature) } },
  };
}

/**
 * Adds a signature to the manifest at cosign's tag. Those of others stay as they are.
 *
 * @param bytes the manifest that is there, attacker-controlled; undefined: there is none
 * @throws Rejection registry.bad_response where it is no manifest of signatures, so that it is not overwritten, or is full
 */
export function addCosignSignature(bytes: Uint8Array | undefined, layer: Stored): CosignSignatures {
  const before = bytes === undefined ? {} : readManifest(bytes);
  const layers = [...layersOf(before), { ...layer.descriptor }];
  if (layers.length > MAX_SIGNATURES) {
    bad(`has ${layers.length - 1} signatures, and with more than ${MAX_SIGNATURES} cosign reads none; remove old ones`);
  }
  // What cosign's own library writes: the layers are not compressed, so their digests are those of the content.
  const config = storedJson(CONFIG_TYPE, {
    architecture: "",
    created: "0001-01-01T00:00:00Z",
    history: layers.map(() => ({ created: "0001-01-01T00:00:00Z" })),
    os: "",
    rootfs: { type: "layers", diff_ids: layers.map((one) => digestOf(one)) },
    config: {},
  });
  const manifest = storedJson(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    ...before,
    config: config.descriptor,
    layers,
  });
  return { manifest, config };
}

/** Whether the manifest at the tag holds a signature. */
export function hasCosignSignature(bytes: Uint8Array | undefined, { descriptor }: Stored): boolean {
  const signature = descriptor.annotations?.[SIGNATURE_ANNOTATION];
  return (
    bytes !== undefined &&
    layersOf(readManifest(bytes)).some((layer) => {
      const annotations = field(layer, "annotations");
      const isSame = isJsonObject(annotations) && field(annotations, SIGNATURE_ANNOTATION) === signature;
      return isSame && digestOf(layer) === descriptor.digest;
    })
  );
}

function readManifest(bytes: Uint8Array): JsonObject {
  const manifest = parseJson(bytes, "registry.bad_response", "the manifest at cosign's tag");
  if (!isJsonObject(manifest)) bad("is not an object, so it is not replaced");
  return manifest;
}

function layersOf(manifest: JsonObject): readonly JsonObject[] {
  const layers = field(manifest, "layers") ?? [];
  if (!Array.isArray(layers)) bad("has layers that are no list, so it is not replaced");
  return layers.map((layer: unknown) => {
    if (!isJsonObject(layer) || field(layer, "mediaType") !== SIMPLE_SIGNING_TYPE) {
      bad(`holds something else than layers of ${SIMPLE_SIGNING_TYPE}, so it is not replaced`);
    }
    digestOf(layer);
    return layer;
  });
}

function digestOf(layer: object): Digest {
  const digest = "digest" in layer ? layer.digest : undefined;
  if (typeof digest !== "string" || !isDigest(digest))
    bad("has a layer without a sha256 digest, so it is not replaced");
  return digest;
}

function bad(why: string): never {
  return reject("registry.bad_response", `the manifest at cosign's tag ${why}`);
}
