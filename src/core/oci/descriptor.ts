import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { type RejectionCode, reject } from "../rejection.ts";
import { type Digest, isDigest } from "./digest.ts";

/**
 * What a manifest or an index says of another blob (OCI image spec, descriptor). Its size is not looked at: some
 * registries get it wrong, the digest decides which bytes are meant, and a cap how many are read.
 */
export interface Descriptor {
  readonly digest: Digest;
  readonly artifactType: string | undefined;
  /** As they came: every value is unknown until it has been looked at. */
  readonly annotations: JsonObject;
}

/**
 * Reads a descriptor. Fields that nothing here needs are not looked at.
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

/** The annotations of a descriptor or manifest; none where there are none, or they are no object. */
export function readAnnotations(value: JsonObject): JsonObject {
  const found = field(value, "annotations");
  return isJsonObject(found) ? found : {};
}

/** A field that is a text and not empty. */
export function optionalText(value: JsonObject, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === "string" && found !== "" ? found : undefined;
}
