import type { Subject } from "../../core/evidence/evidence.ts";
import { type Attachment, attachmentOf, isSealedBy, listAttachment } from "../../core/oci/attached-evidence.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { listsAllOf } from "../../core/oci/fallback-index.ts";
import { ACCEPT_INDEX, EVIDENCE_TYPE, fallbackTag } from "../../core/oci/referrers.ts";
import { EMPTY_CONFIG, type Stored } from "../../core/oci/stored.ts";
import { Rejection } from "../../core/rejection.ts";
import type { RegistryClient } from "../../io/registry/client.ts";
import { answered, type RegistryContext, UnavailableError } from "../collect/context.ts";
import { Repository } from "../collect/referrers-client.ts";
import { openImage } from "../push/image-place.ts";
import { rewriteTag } from "../push/rewrite-tag.ts";
import { pushBlob, pushManifest, removeManifest } from "../push/store-content.ts";

/** Older attachments that are removed at once; stops a list of thousands that say they are this key's. */
const MAX_REPLACED = 32;
/** A sealed bundle, to be attached to the image that it is about. */
export interface EvidenceToAttach {
  readonly subject: Subject;
  readonly bytes: Uint8Array;
  /** did:key of the seal. */
  readonly sealKey: string;
  /** Of the bundle; milliseconds since 1970. */
  readonly gatheredAt: number;
}

/** What was stored, and where. */
export interface Attached {
  readonly manifest: Digest;
  /** Host of the registry. */
  readonly host: string;
  /** How the registry lists it: by itself, or in an index at this tag, which every client writes whole. */
  readonly listedBy: "registry" | { readonly tag: string };
  /** Times that others changed the index meanwhile, so that it was written again. */
  readonly collisions: number;
  /** Older attachments by the same key that are no longer listed. */
  readonly replaced: readonly Digest[];
  /** Older ones that the registry did not remove. */
  readonly remaining: readonly Digest[];
}

/**
 * Stores a sealed bundle beside its image as an OCI artifact (OCI distribution spec 1.1), at the registry that the image's
 * name says. Older ones by the same key go; whatever others attached stays.
 *
 * @throws Rejection registry.*, net.*
 */
export async function attachEvidence(evidence: EvidenceToAttach, context: RegistryContext): Promise<Attached> {
  return answered(attach(evidence, context));
}

async function attach(evidence: EvidenceToAttach, context: RegistryContext): Promise<Attached> {
  const { client, image, host } = await openImage(evidence.subject, context);
  const attachment = attachmentOf(image, evidence.bytes, evidence.sealKey, evidence.gatheredAt);
  await pushBlob(client, EMPTY_CONFIG);
  await pushBlob(client, attachment.bundle);
  const { digest } = attachment.manifest.descriptor;
  const stored = await pushManifest(client, digest, attachment.manifest);
  const isListed = stored?.response.headers.has("oci-subject") === true;
  const listed = isListed
    ? await replaceAtRegistry(client, evidence, digest, context)
    : await replaceAtTag(client, evidence, attachment);
  return { manifest: digest, host, ...listed };
}

type Replaced = Omit<Attached, "manifest" | "host">;

/** Where the registry itself lists what refers to an image. */
async function replaceAtRegistry(
  client: RegistryClient,
  { subject, sealKey }: EvidenceToAttach,
  own: Digest,
  context: RegistryContext,
): Promise<Replaced> {
  const repository = new Repository(client, subject, EVIDENCE_TYPE, context);
  const { referrers } = await repository.referrers();
  const older = referrers.filter((referrer) => referrer.digest !== own && isSealedBy(referrer, sealKey));
  const replaced: Digest[] = [];
  for (const referrer of older.slice(0, MAX_REPLACED)) {
    const { digest } = referrer;
    if ((await isAttachment(repository, referrer, sealKey)) && (await removeManifest(client, digest)))
      replaced.push(digest);
  }
  const remaining = older.map(({ digest }) => digest).filter((digest) => !replaced.includes(digest));
  return { listedBy: "registry", collisions: 0, replaced, remaining };
}

/**
 * Whether a listed manifest is what the list says. A list may be the index at the fallback tag, in which anyone who may push
 * can give any manifest these annotations, such as the image's own: it would be removed.
 */
async function isAttachment(repository: Repository, listed: Descriptor, sealKey: string): Promise<boolean> {
  try {
    const artifact = await repository.artifactOf(listed);
    return artifact !== undefined && isSealedBy({ ...listed, annotations: artifact.annotations }, sealKey);
  } catch (error) {
    if (error instanceof UnavailableError || error instanceof Rejection) return false;
    throw error;
  }
}

/** Where clients list it, in an index at the fallback tag that each of them reads and writes whole. */
async function replaceAtTag(
  client: RegistryClient,
  { subject: { digest }, sealKey }: EvidenceToAttach,
  { manifest }: Attachment,
): Promise<Replaced> {
  const tag = fallbackTag(digest);
  const replaced = new Set<Digest>();
  const change = (before: Uint8Array | undefined): Stored => {
    const { index, replaced: dropped } = listAttachment(before, manifest.descriptor, sealKey);
    for (const old of dropped) replaced.add(old);
    return index;
  };
  const collisions = await rewriteTag(client, { tag, image: digest, accept: ACCEPT_INDEX, change, holds: listsAllOf });
  return { listedBy: { tag }, collisions, replaced: [...replaced], remaining: [] };
}
