import type { Digest } from "../../core/oci/digest.ts";
import { isSubjectItself } from "../../core/oci/referrers.ts";
import type { Stored } from "../../core/oci/stored.ts";
import type { RegistryClient } from "../../io/registry/client.ts";
import { UnavailableError } from "../collect/context.ts";
import { accepted, MAX_REDIRECTS } from "../collect/registry-host.ts";
import { MAX_MANIFEST } from "./image-place.ts";
import { pushManifest } from "./store-content.ts";

/** Attempts at a tag that others change at the same time. */
const MAX_ATTEMPTS = 3;
/** A strong ETag (RFC 9110 8.8.3) of a bounded length; it is sent back as it is. */
const STRONG_ETAG = /^"[\x21\x23-\x7e]{1,200}"$/;

/** A tag whose manifest each client reads and writes whole. */
export interface SharedTag {
  readonly tag: string;
  /** The image that its manifest is about. */
  readonly image: Digest;
  /** Media type of its manifest. */
  readonly accept: string;
  /** The manifest to write in place of the one that is there; may store what it refers to. */
  readonly change: (before: Uint8Array | undefined) => Promise<Stored> | Stored;
  /** Whether the manifest that is there afterwards holds all that was written. */
  readonly holds: (after: Uint8Array | undefined, written: Stored) => boolean;
}

/**
 * Changes what is at a tag. A registry that takes conditions refuses to overwrite what somebody else wrote meanwhile; at any
 * other, the tag is read again afterwards.
 *
 * @returns times that others changed it meanwhile, so that it was written again
 * @throws UnavailableError, Rejection
 */
export async function rewriteTag(client: RegistryClient, shared: SharedTag): Promise<number> {
  const { tag, change, holds } = shared;
  for (let collisions = 0; collisions < MAX_ATTEMPTS; collisions++) {
    const before = await readTag(client, shared);
    const manifest = await change(before?.bytes);
    const etag = before === undefined ? "none" : before.etag;
    if ((await pushManifest(client, tag, manifest, etag)) === undefined) continue;
    if (holds((await readTag(client, shared))?.bytes, manifest)) return collisions;
  }
  const detail = `others changed the tag ${tag} ${MAX_ATTEMPTS} times meanwhile, so that what was pushed may not be listed; run this again`;
  throw new UnavailableError("registry.bad_response", detail);
}

/** What is at the tag; undefined where there is nothing. */
async function readTag(client: RegistryClient, { tag, image, accept }: SharedTag) {
  const request = { accept, maxBytes: MAX_MANIFEST, maxRedirects: MAX_REDIRECTS };
  const answer = await client.get(client.urlOf(`manifests/${tag}`), request);
  // GitLab resolves the tag as the digest and answers with the image.
  if (answer.response.status === 404 || isSubjectItself(answer.response.body, image)) return undefined;
  const { body: bytes, headers } = accepted(answer);
  const etag = headers.get("etag") ?? "";
  return { bytes, ...(STRONG_ETAG.test(etag) && { etag }) };
}
