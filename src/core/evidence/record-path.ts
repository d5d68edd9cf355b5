import { type Digest, digestHex } from "../oci/digest.ts";

// Where records are in a signer's repo. Apart from reading them, so that what is cached is found without a decoder.

export const MANIFESTS = "io.atcr.manifest";
export const TAGS = "io.atcr.tag";

/** Path of a digest's record in the repo (spec 3.5). */
export function recordPath(digest: Digest): string {
  return `${MANIFESTS}/${digestHex(digest)}`;
}

/** Collection and record key, as com.atproto.sync.getRecord asks for them. */
export function recordAddress(digest: Digest): { collection: string; rkey: string } {
  return { collection: MANIFESTS, rkey: digestHex(digest) };
}

/**
 * Where ATCR is believed to store a tag's record: the record key is the repository with `~` for `/`,
 * `_`, and the tag. Two pairs may share a key (`a_b:c`, `a:b_c`), so the record's own fields decide.
 */
export function tagRecordAddress(repository: string, tag: string): { collection: string; rkey: string } {
  return { collection: TAGS, rkey: `${repository.replaceAll("/", "~")}_${tag}` };
}

/** The same as a path of the repo. */
export function tagRecordPath(repository: string, tag: string): string {
  const { collection, rkey } = tagRecordAddress(repository, tag);
  return `${collection}/${rkey}`;
}
