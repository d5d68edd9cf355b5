import type { Subject } from "../../core/evidence/evidence.ts";
import { checkContent } from "../../core/oci/artifact.ts";
import {
  type Attachment,
  attachmentOf,
  EMPTY_CONFIG,
  isSealedBy,
  listAttachment,
  listsAllOf,
} from "../../core/oci/attached-evidence.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { ACCEPT_IMAGE } from "../../core/oci/image-index.ts";
import { ACCEPT_INDEX, EVIDENCE_TYPE, fallbackTagPath, isSubjectItself } from "../../core/oci/referrers.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import type { RegistryClient } from "../../io/registry/client.ts";
import type { Endpoint } from "../../io/registry/endpoints.ts";
import { answered, type RegistryContext, UnavailableError } from "../collect/context.ts";
import { Repository } from "../collect/referrers-client.ts";
import { accepted, MAX_REDIRECTS, plainInstead, registryClient } from "../collect/registry-host.ts";
import { pushBlob, pushManifest, removeManifest } from "./store-content.ts";

/** Bytes of the image's manifest, and of the index at the fallback tag: registries take no larger ones. */
const MAX_MANIFEST = 4 * 1024 * 1024;
/** Older attachments that are removed at once; stops a list of thousands that say they are this key's. */
const MAX_REPLACED = 32;
/** Attempts at the fallback tag, where others change it at the same time. */
const MAX_ATTEMPTS = 3;
/** A strong ETag (RFC 9110 8.8.3) of a bounded length; it is sent back as it is. */
const STRONG_ETAG = /^"[\x21\x23-\x7e]{1,200}"$/;

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
  const { all, problems } = context.registries.endpoints(evidence.subject.name);
  const server = all.at(-1) ?? all[0];
  if (server.unusable !== undefined) {
    reject("registry.unreachable", [`${server.root} is not contacted: ${server.unusable}`, ...problems].join("; "));
  }
  return answered(attachAt(server, evidence, context));
}

async function attachAt(endpoint: Endpoint, evidence: EvidenceToAttach, context: RegistryContext): Promise<Attached> {
  const { subject } = evidence;
  const client = registryClient(endpoint, subject.name, context, undefined, "pull,push");
  let image: Awaited<ReturnType<typeof imageAt>>;
  try {
    image = await imageAt(client, subject);
  } catch (error) {
    const plain = error instanceof UnavailableError ? plainInstead(endpoint, [error]) : undefined;
    if (plain === undefined) throw error;
    return attachAt(plain, evidence, context);
  }
  const attachment = attachmentOf(image, evidence.bytes, evidence.sealKey, evidence.gatheredAt);
  await pushBlob(client, EMPTY_CONFIG);
  await pushBlob(client, attachment.bundle);
  const { digest } = attachment.manifest.descriptor;
  const stored = await pushManifest(client, digest, attachment.manifest);
  const isListed = stored?.response.headers.has("oci-subject") === true;
  const listed = isListed
    ? await replaceAtRegistry(client, evidence, digest, context)
    : await replaceAtTag(client, evidence, attachment);
  return { manifest: digest, host: new URL(client.endpoint.root).host, ...listed };
}

/** The image's manifest as the registry has it: an attachment names its type and size. */
async function imageAt(client: RegistryClient, { digest }: Subject) {
  const url = client.urlOf(`manifests/${digest}`);
  const request = { accept: ACCEPT_IMAGE, maxBytes: MAX_MANIFEST, maxRedirects: MAX_REDIRECTS };
  const { body, headers } = accepted(await client.get(url, request));
  checkContent(body, { digest, artifactType: undefined, annotations: {} }, "the image's manifest");
  const mediaType = headers.get("content-type")?.split(";", 1)[0]?.trim() ?? "";
  return { mediaType, digest, size: body.length };
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

/**
 * Where clients list it, in an index at the fallback tag that each of them reads and writes whole. A registry that takes
 * conditions refuses to overwrite what somebody else wrote meanwhile; at any other, the index is read again afterwards.
 */
async function replaceAtTag(
  client: RegistryClient,
  { subject: { digest }, sealKey }: EvidenceToAttach,
  { manifest }: Attachment,
): Promise<Replaced> {
  const path = fallbackTagPath(digest);
  const tag = path.slice(path.indexOf("/") + 1);
  const replaced = new Set<Digest>();
  for (let collisions = 0; collisions < MAX_ATTEMPTS; collisions++) {
    const before = await indexAt(client, path, digest);
    const { index, replaced: dropped } = listAttachment(before?.bytes, manifest.descriptor, sealKey);
    for (const old of dropped) replaced.add(old);
    const etag = before === undefined ? "none" : before.etag;
    if ((await pushManifest(client, tag, index, etag)) === undefined) continue;
    if (!listsAllOf((await indexAt(client, path, digest))?.bytes, index)) continue;
    return { listedBy: { tag }, collisions, replaced: [...replaced], remaining: [] };
  }
  const detail = `others changed the tag ${tag} ${MAX_ATTEMPTS} times meanwhile, so that the attachment may not be listed; run this again`;
  throw new UnavailableError("registry.bad_response", detail);
}

/** The index at the fallback tag; undefined where there is none. */
async function indexAt(client: RegistryClient, path: string, subject: Digest) {
  const request = { accept: ACCEPT_INDEX, maxBytes: MAX_MANIFEST, maxRedirects: MAX_REDIRECTS };
  const answer = await client.get(client.urlOf(path), request);
  // GitLab resolves the tag as the digest and answers with the image.
  if (answer.response.status === 404 || isSubjectItself(answer.response.body, subject)) return undefined;
  const { body: bytes, headers } = accepted(answer);
  const etag = headers.get("etag") ?? "";
  return { bytes, ...(STRONG_ETAG.test(etag) && { etag }) };
}
