import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { type RejectionCode, reject } from "../rejection.ts";
import { type Digest, isDigest } from "./digest.ts";

/** What a manifest or an index says of another blob (OCI image spec, descriptor). */
export interface Descriptor {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string | undefined;
  readonly artifactType: string | undefined;
  readonly annotations: Annotations;
}

export type Annotations = ReadonlyMap<string, string>;

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
  const size = field(value, "size");
  if (typeof digest !== "string" || !isDigest(digest)) reject(code, `${what} has no sha256 digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) reject(code, `${what} has no size`);
  return {
    digest,
    size,
    mediaType: optionalText(value, "mediaType"),
    artifactType: optionalText(value, "artifactType"),
    annotations: readAnnotations(value),
  };
}

/** Annotations that are text; others are none. */
export function readAnnotations(value: JsonObject): Annotations {
  const found = field(value, "annotations");
  if (!isJsonObject(found)) return new Map();
  return new Map(Object.entries(found).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** A field that is a text and not empty. */
export function optionalText(value: JsonObject, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === "string" && found !== "" ? found : undefined;
}
