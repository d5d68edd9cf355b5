import { field, isJsonObject } from "../encoding/json.ts";
import { formatDateTime, parseDateTime } from "../encoding/time.ts";
import { type Descriptor, optionalText, readDescriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { listReferrer } from "./fallback-index.ts";
import { EVIDENCE_TYPE } from "./referrers.ts";
import { type ImageDescriptor, referrerManifest, type Stored, stored } from "./stored.ts";

/** Bytes of an attached bundle: a hundred times the evidence of an image with one signer. Bounds what a pull reads. */
export const MAX_ATTACHED = 4 * 1024 * 1024;
/** Media type of the attached bundle. */
export const EVIDENCE_MEDIA_TYPE = "application/vnd.atcr-verify.evidence.v2+jsonl";

/** Annotations of the manifest, which registries repeat in lists of referrers. They only choose what is read. */
const SEAL_KEY = "atcr-verify.seal.key";
const CREATED = "org.opencontainers.image.created";

/** Evidence to attach. */
export interface Attachment {
  readonly bundle: Stored;
  /** Its descriptor is the one that lists of referrers show. */
  readonly manifest: Stored;
}

/**
 * The artifact that adds sealed evidence to an image.
 *
 * @param subject descriptor of the image's manifest
 * @param bytes the sealed bundle
 * @param sealKey did:key of the seal
 * @param gatheredAt of the bundle, milliseconds since 1970
 */
export function attachmentOf(
  subject: ImageDescriptor,
  bytes: Uint8Array,
  sealKey: string,
  gatheredAt: number,
): Attachment {
  const bundle = stored(EVIDENCE_MEDIA_TYPE, bytes);
  const annotations = { [SEAL_KEY]: sealKey, [CREATED]: formatDateTime(gatheredAt) };
  return { bundle, manifest: referrerManifest(EVIDENCE_TYPE, bundle, subject, annotations) };
}

/** Whether a list of referrers says that this key sealed an attachment. */
export function isSealedBy({ artifactType, annotations }: Descriptor, sealKey: string): boolean {
  return artifactType === EVIDENCE_TYPE && field(annotations, SEAL_KEY) === sealKey;
}

/**
 * The attachments that are worth reading, in the order in which to read them. Anyone who may push can list thousands and
 * write what they like into a list: first are those that name a key that counts, the newest first, and then those that name
 * no key. Those that name another key are left out, as are those dated in the future.
 *
 * @param keys did:key of the keys whose seals count
 * @param latest milliseconds since 1970
 */
export function orderAttachments(
  referrers: readonly Descriptor[],
  keys: readonly string[],
  latest: number,
): readonly Descriptor[] {
  const all = referrers.map((referrer) => {
    const { annotations } = referrer;
    const created = field(annotations, CREATED);
    const at = typeof created === "string" ? (parseDateTime(created) ?? 0) : 0;
    return { referrer, at, key: optionalText(annotations, SEAL_KEY) };
  });
  return all
    .filter(({ key, at }) => (key === undefined || keys.includes(key)) && at <= latest)
    .toSorted((a, b) => Number(a.key === undefined) - Number(b.key === undefined) || b.at - a.at)
    .map(({ referrer }) => referrer);
}

/** An index at the fallback tag with an attachment, and the older ones of the same key that it no longer lists. */
export interface ListedAttachment {
  readonly index: Stored;
  readonly replaced: readonly Digest[];
}

/**
 * Adds an attachment to the index at the fallback tag, in place of older ones by the same key. Entries of others stay as
 * they are.
 *
 * @param bytes the index that is there; undefined: there is none
 * @throws Rejection registry.bad_response where it is no index: it must not be overwritten
 */
export function listAttachment(
  bytes: Uint8Array | undefined,
  entry: Stored["descriptor"],
  sealKey: string,
): ListedAttachment {
  const replaced: Digest[] = [];
  const index = listReferrer(bytes, entry, (value) => {
    const own = ownDigest(value, sealKey);
    if (own !== undefined && own !== entry.digest) replaced.push(own);
    return own !== undefined;
  });
  return { index, replaced };
}

function ownDigest(value: unknown, sealKey: string): Digest | undefined {
  if (!isJsonObject(value) || optionalText(value, "artifactType") !== EVIDENCE_TYPE) return undefined;
  const { annotations } = value;
  if (!isJsonObject(annotations) || field(annotations, SEAL_KEY) !== sealKey) return undefined;
  return readDescriptor(value, "registry.bad_response", "an entry of the index at the fallback tag").digest;
}
