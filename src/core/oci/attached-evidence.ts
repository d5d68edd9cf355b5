import { toUtf8 } from "../encoding/bytes.ts";
import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { formatDateTime, parseDateTime } from "../encoding/time.ts";
import { reject } from "../rejection.ts";
import { type Descriptor, optionalText, readDescriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { ACCEPT_INDEX, EVIDENCE_TYPE } from "./referrers.ts";

/** Bytes of an attached bundle: a hundred times the evidence of an image with one signer. Bounds what a pull reads. */
export const MAX_ATTACHED = 4 * 1024 * 1024;
/** Media type of the attached bundle. */
export const EVIDENCE_MEDIA_TYPE = "application/vnd.atcr-verify.evidence.v2+jsonl";
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
/** A config that says nothing (OCI image spec 1.1, guidance for an empty descriptor). */
export const EMPTY_CONFIG = stored("application/vnd.oci.empty.v1+json", toUtf8("{}"));

/** Annotations of the manifest, which registries repeat in lists of referrers. They only choose what is read. */
const SEAL_KEY = "atcr-verify.seal.key";
const CREATED = "org.opencontainers.image.created";

/** Content to be stored in a registry, and how manifests describe it. */
export interface Stored {
  readonly bytes: Uint8Array;
  readonly descriptor: {
    readonly mediaType: string;
    readonly digest: Digest;
    readonly size: number;
    readonly artifactType?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

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
  subject: Pick<Stored["descriptor"], "mediaType" | "digest" | "size">,
  bytes: Uint8Array,
  sealKey: string,
  gatheredAt: number,
): Attachment {
  const bundle = stored(EVIDENCE_MEDIA_TYPE, bytes);
  const annotations = { [SEAL_KEY]: sealKey, [CREATED]: formatDateTime(gatheredAt) };
  const manifest = stored(
    MANIFEST_TYPE,
    jsonBytes({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      artifactType: EVIDENCE_TYPE,
      config: EMPTY_CONFIG.descriptor,
      layers: [bundle.descriptor],
      subject,
      annotations,
    }),
  );
  return {
    bundle,
    manifest: { ...manifest, descriptor: { ...manifest.descriptor, artifactType: EVIDENCE_TYPE, annotations } },
  };
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
  const before = bytes === undefined ? {} : readIndex(bytes);
  const listed = entriesOf(before);
  const own = listed.map((value) => ownDigest(value, sealKey));
  const others = listed.filter((_, i) => own[i] === undefined);
  const replaced = own.filter((digest) => digest !== undefined && digest !== entry.digest) as Digest[];
  const after = { schemaVersion: 2, mediaType: ACCEPT_INDEX, ...before, manifests: [...others, entry] };
  return { index: stored(ACCEPT_INDEX, jsonBytes(after)), replaced };
}

/** Whether an index lists all that another one lists, whatever the order. */
export function listsAllOf(bytes: Uint8Array | undefined, { bytes: wanted }: Stored): boolean {
  const listed = new Set(bytes === undefined ? [] : entriesOf(readIndex(bytes)).map((value) => JSON.stringify(value)));
  return entriesOf(readIndex(wanted)).every((value) => listed.has(JSON.stringify(value)));
}

function readIndex(bytes: Uint8Array): JsonObject {
  const what = "the index at the fallback tag";
  const index = parseJson(bytes, "registry.bad_response", what);
  if (!isJsonObject(index) || (field(index, "manifests") !== null && !Array.isArray(field(index, "manifests")))) {
    reject("registry.bad_response", `${what} is not an OCI index, so it is not replaced`);
  }
  return index;
}

function entriesOf(index: JsonObject): readonly unknown[] {
  const manifests = field(index, "manifests");
  return Array.isArray(manifests) ? manifests : [];
}

function ownDigest(value: unknown, sealKey: string): Digest | undefined {
  if (!isJsonObject(value) || optionalText(value, "artifactType") !== EVIDENCE_TYPE) return undefined;
  const { annotations } = value;
  if (!isJsonObject(annotations) || field(annotations, SEAL_KEY) !== sealKey) return undefined;
  return readDescriptor(value, "registry.bad_response", "an entry of the index at the fallback tag").digest;
}

function stored(mediaType: string, bytes: Uint8Array): Stored {
  return { bytes, descriptor: { mediaType, digest: `sha256:${sha256Hex(bytes)}` as Digest, size: bytes.length } };
}

function jsonBytes(value: JsonObject): Uint8Array {
  return toUtf8(JSON.stringify(value));
}
