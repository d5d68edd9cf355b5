import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { type RejectionCode, reject } from "../rejection.ts";
import { type Digest, isDigest } from "./digest.ts";

/**
 * A reference from a manifest or index to another blob (OCI image spec, descriptor). The size is ignored: some registries
 * get it wrong, the digest identifies the bytes, and a cap limits how many are read.
 */
export interface Descriptor {
  readonly digest: Digest;
  readonly artifactType: string | undefined;
  /** Unchecked values. */
  readonly annotations: JsonObject;
}

/**
 * Reads a descriptor. Unused fields are ignored.
 *
 * @param value attacker-controlled JSON
 * @param what names the descriptor in the message
 * @throws Rejection `code`
 */
export function readDescriptor(value: unknown, code: RejectionCode, what: string): Descriptor {
  if (!isJsonObject(value)) reject(code, `${what} is not an object`);
  const digest = field(value, "digest");
  if (typeof digest !== "string" || !isDigest(digest)) reject(code, `${what} has no sha256 digest`);
  return {
    digest,
    artifactType: optionalText(value, "artifactType"),
    annotations: readAnnotations(value),
  };
}

/** The annotations of a descriptor or manifest; empty where they are missing or not an object. */
export function readAnnotations(value: JsonObject): JsonObject {
  const found = field(value, "annotations");
  return isJsonObject(found) ? found : {};
}

/** A field that is a non-empty string. */
export function optionalText(value: JsonObject, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === "string" && found !== "" ? found : undefined;
}
