import { toUtf8 } from "../encoding/bytes.ts";
import { field, parseJson } from "../encoding/json.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { rejectionOf } from "../rejection.ts";
import type { Evidence, SignatureEvidence } from "./evidence.ts";
import { evidenceFromJson, evidenceToJson, malformed, object, text } from "./evidence-json.ts";

/** The evidence about one digest: a line of a bundle, and a file of the cache. */
export interface BundledImage {
  readonly digest: Digest;
  /** Names that it was gathered for, without digests; a tag is in its name. Sorted, each once; none in the cache. */
  readonly names: readonly string[];
  readonly evidence: Evidence;
}

/** Names of one digest: more tags than an image has. Stops one line from holding millions of them. */
const MAX_NAMES = 1000;

/**
 * The image as one line of JSON, without a line break. The same image always makes the same line.
 *
 * @param gatheredAt of the bundle, milliseconds since 1970; absent: each part says when it was fetched
 */
export function imageToLine({ digest, names, evidence }: BundledImage, gatheredAt?: number): string {
  const sortedNames = [...new Set(names)].toSorted();
  return JSON.stringify({ digest, names: sortedNames, evidence: evidenceToJson(evidence, gatheredAt) });
}

/**
 * Reads what {@link imageToLine} wrote, strictly.
 *
 * @param bytes as untrusted as the network they came from
 * @throws Rejection bundle.malformed
 */
export function imageFromLine(bytes: Uint8Array, gatheredAt?: number): BundledImage {
  const image = object(parseJson(bytes, "bundle.malformed", "the evidence"), "the evidence of an image", [
    "digest",
    "names",
    "evidence",
  ]);
  const digest = text(image, "digest", "the evidence");
  if (!isDigest(digest)) malformed(`the evidence is about "${digest}", expected a sha256 digest`);
  return {
    digest,
    names: readNames(field(image, "names")),
    evidence: evidenceFromJson(field(image, "evidence"), gatheredAt),
  };
}

/** The image with this digest; undefined where it is not among them. */
export function imageIn(images: readonly BundledImage[], digest: Digest): BundledImage | undefined {
  return images.find((image) => image.digest === digest);
}

/** When the oldest part of a signature's evidence was gathered; milliseconds since 1970. The window counts from it. */
export function gatheredAtOf({ identity, record, tag }: SignatureEvidence): number {
  return Math.min(...[identity, record, tag].flatMap((part) => (part === undefined ? [] : [part.fetchedAt])));
}

/** As bytes, for a file of its own. */
export function imageToBytes(image: BundledImage): Uint8Array {
  return toUtf8(`${imageToLine(image)}\n`);
}

/** @throws Rejection bundle.malformed */
export function readNames(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_NAMES) malformed(`names is not a list of at most ${MAX_NAMES} names`);
  return value.map((name: unknown) => (isName(name) ? name : malformed(`"${name}" in names is not an image name`)));
}

function isName(name: unknown): name is string {
  return (
    typeof name === "string" &&
    !name.includes("@") &&
    rejectionOf(() => {
      parseReference(name);
    }) === undefined
  );
}
