import type { Did } from "../atproto/syntax.ts";
import { type DagCbor, isDagCborMap } from "../encoding/dag-cbor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { reject } from "../rejection.ts";
import { MANIFESTS, recordPath, TAGS } from "./record-path.ts";

/** The content of a tag's record that names the digest in question. */
export interface TagClaim {
  readonly repository: string;
  readonly tag: string;
}

/**
 * Reads an io.atcr.tag record (spec 5.8) in each of its four forms: the digest by `manifest`, the at-uri of a record
 * in the same repo, or by the deprecated `manifestDigest`. If both are present they must agree. `createdAt`,
 * `updatedAt` and `mediaType`, which only some forms have, are ignored.
 *
 * @param record attacker-controlled, but in the signer's signed repo
 * @param image the digest that the tag should name
 * @throws Rejection tag.mismatch where it is not such a record, or names another digest
 */
export function readTag(signer: Did, image: Digest, record: DagCbor): TagClaim {
  if (!isDagCborMap(record) || record.get("$type") !== TAGS) mismatch(`is not of type ${TAGS}`);
  const [repository, tag] = [record.get("repository"), record.get("tag")];
  if (typeof repository !== "string" || typeof tag !== "string") mismatch("has no repository or no tag");

  const named = [
    { found: record.get("manifest"), expected: `at://${signer}/${recordPath(image)}` },
    { found: record.get("manifestDigest"), expected: image },
  ].filter(({ found }) => found !== undefined && found !== null && found !== "");
  if (named.length === 0) mismatch("names no manifest");
  for (const { found, expected } of named) {
    if (found !== expected)
      mismatch(`names ${typeof found === "string" ? `"${found}"` : "something"}, not ${expected}`);
  }
  return { repository, tag };
}

/** The digest that the record names, whichever it is; undefined where it names none of its own repo. */
export function namedDigest(signer: Did, record: DagCbor): Digest | undefined {
  if (!isDagCborMap(record)) return undefined;
  const [manifest, digest] = [record.get("manifest"), record.get("manifestDigest")];
  const prefix = `at://${signer}/${MANIFESTS}/`;
  const named =
    typeof manifest === "string" && manifest.startsWith(prefix) ? `sha256:${manifest.slice(prefix.length)}` : digest;
  return typeof named === "string" && isDigest(named) ? named : undefined;
}

function mismatch(what: string): never {
  reject("tag.mismatch", `the record of the tag ${what}`);
}
