import { equalBytes, fromHex } from "../encoding/bytes.ts";
import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { sha256 } from "../encoding/sha256.ts";
import { reject } from "../rejection.ts";
import { type Descriptor, optionalText, readAnnotations, readDescriptor } from "./descriptor.ts";
import { type Digest, digestHex } from "./digest.ts";
import { type ArtifactType, saysSomething } from "./referrers.ts";

/** A manifest that refers to an image, and its payload. */
export interface Artifact {
  readonly annotations: JsonObject;
  /** The first layer; undefined where there is none. */
  readonly payload: Descriptor | undefined;
}

/**
 * Checks that bytes have the digest of a descriptor (spec 3.2).
 *
 * @throws Rejection registry.bad_response
 */
export function checkContent(bytes: Uint8Array, { digest }: Descriptor, what: string): void {
  if (!equalBytes(sha256(bytes), fromHex(digestHex(digest)))) {
    reject("registry.bad_response", `${what} does not hash to its digest ${digest}`);
  }
}

/**
 * Reads the manifest of a referrer: it must name the image as its subject.
 *
 * @param bytes attacker-controlled JSON that hashes to the referrer's digest
 * @returns undefined where the manifest is of another type
 * @throws Rejection registry.bad_response
 */
export function readArtifact(bytes: Uint8Array, image: Digest, expected: ArtifactType): Artifact | undefined {
  const manifest = parseJson(bytes, "registry.bad_response", "a referrer's manifest");
  if (!isJsonObject(manifest)) reject("registry.bad_response", "a referrer's manifest is not an object");
  const config = field(manifest, "config");
  const ownType = optionalText(manifest, "artifactType");
  const type = saysSomething(ownType) ? ownType : isJsonObject(config) ? optionalText(config, "mediaType") : undefined;
  if (type !== expected) return undefined;

  const subject = readDescriptor(field(manifest, "subject"), "registry.bad_response", "a referrer's subject");
  if (subject.digest !== image) {
    reject("registry.bad_response", `a referrer's subject is ${subject.digest}, expected ${image}`);
  }
  const layers = field(manifest, "layers");
  const first: unknown = Array.isArray(layers) ? layers[0] : undefined;
  const payload =
    first === undefined ? undefined : readDescriptor(first, "registry.bad_response", "a referrer's layer");
  return { annotations: readAnnotations(manifest), payload };
}
