import { field, isJsonObject, parseJson } from "../encoding/json.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { Rejection, reject } from "../rejection.ts";
import { type Descriptor, optionalText, readDescriptor } from "./descriptor.ts";
import { type Digest, digestHex } from "./digest.ts";

/** Type of the artifact that ATCR attaches to a signed image. */
export const SIGNATURE_TYPE = "application/vnd.atproto.signature.v1+json";
/** Type of the artifact with which `attach` adds sealed evidence to an image. */
export const EVIDENCE_TYPE = "application/vnd.atcr-verify.evidence.v2";
/** The artifacts that this program looks for. */
export type ArtifactType = typeof SIGNATURE_TYPE | typeof EVIDENCE_TYPE;
/** Placeholder type that tools write where there is none. */
const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";
const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** Referrers on one page; stops an endless list. */
const MAX_REFERRERS = 5000;

export const ACCEPT_INDEX = INDEX_TYPE;
/**
 * Statuses of registries without a Referrers API (spec 3.1): 404, 405 and 501; Artifactory answers 406, and Quay 400
 * for a digest without referrers.
 */
export const NO_REFERRERS_API: ReadonlySet<number> = new Set([400, 404, 405, 406, 501]);

/** Path of the Referrers API (OCI distribution spec 1.1), filtered for artifacts of a type. */
export function referrersPath(digest: Digest, type: ArtifactType): string {
  return `${allReferrersPath(digest)}?artifactType=${encodeURIComponent(type)}`;
}

/** The same, for referrers of all types: some registries filter by another type than the manifest's own. */
export function allReferrersPath(digest: Digest): string {
  return `referrers/${digest}`;
}

/** Tag of the fallback index for registries without the Referrers API. */
export function fallbackTag(digest: Digest): string {
  return `sha256-${digestHex(digest)}`;
}

/** Path of that index. */
export function fallbackTagPath(digest: Digest): string {
  return `manifests/${fallbackTag(digest)}`;
}

/** One page of referrers. */
export interface ReferrersPage {
  /** Those that may be of the type. */
  readonly candidates: readonly Descriptor[];
  /** Whether it lists others too: then the registry did not filter the list. */
  readonly hasOthers: boolean;
  /** Why the first unreadable one cannot be used; the others count. */
  readonly unreadable?: Rejection;
}

/**
 * Reads one page of referrers, and selects those that may be of a type (spec 3.1). Where a descriptor has no
 * artifactType, the manifest decides. A bad descriptor does not hide the others: anyone who may
 * push can add one, for example with a sha512 digest.
 *
 * @param bytes attacker-controlled
 * @returns undefined where it is not an OCI index, but for example a web page or an empty object
 * @throws Rejection registry.bad_response where it lists too many
 */
export function readReferrers(bytes: Uint8Array, type: ArtifactType): ReferrersPage | undefined {
  const manifests = manifestsOf(bytes);
  if (manifests === undefined) return undefined;
  if (manifests.length > MAX_REFERRERS) {
    reject("registry.bad_response", `one page lists ${manifests.length} referrers, more than ${MAX_REFERRERS}`);
  }
  const candidates: Descriptor[] = [];
  let hasOthers = false;
  let unreadable: Rejection | undefined;
  for (const [i, value] of manifests.entries()) {
    const artifactType = isJsonObject(value) ? optionalText(value, "artifactType") : undefined;
    if (saysSomething(artifactType) && artifactType !== type) {
      hasOthers = true;
      continue;
    }
    try {
      candidates.push(readDescriptor(value, "registry.bad_response", `referrer ${i + 1} of the list`));
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      unreadable ??= error;
    }
  }
  return { candidates, hasOthers, ...(unreadable === undefined ? {} : { unreadable }) };
}

/** @returns undefined where there is no such list; null counts as empty, as in Go clients */
function manifestsOf(bytes: Uint8Array): readonly unknown[] | undefined {
  let index: unknown;
  try {
    index = parseJson(bytes, "registry.bad_response", "the list of referrers");
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
  const manifests = isJsonObject(index) ? field(index, "manifests") : undefined;
  if (manifests === null) return [];
  return Array.isArray(manifests) ? manifests : undefined;
}

/** Whether a registry answered with the image itself instead of its referrers. */
export function isSubjectItself(bytes: Uint8Array, subject: Digest): boolean {
  return sha256Hex(bytes) === digestHex(subject);
}

/** Whether a descriptor's type is that of a signature. */
export function isSignatureType(artifactType: string | undefined): boolean {
  return artifactType === SIGNATURE_TYPE;
}

/** Whether an artifact type is given and not a placeholder. */
export function saysSomething(artifactType: string | undefined): artifactType is string {
  return artifactType !== undefined && artifactType !== EMPTY_TYPE;
}

/** `<URI>` and its parameters; the URI and quoted values may contain commas. */
const LINK = /<([^<>]*)>((?:[^<>",]|"[^"]*")*)/g;
/** A parameter of a link; the value of `rel` is one relation or, in quotes, several. */
const REL = /^\s*rel\s*=\s*(?:"([^"]*)"|([^\s"]+))\s*$/i;

/**
 * The target of `Link: <…>; rel="next"` (RFC 8288, section 3), unresolved; undefined where there
 * is none.
 *
 * @param header attacker-controlled; several fields are joined by commas
 */
export function nextPage(header: string | undefined): string | undefined {
  for (const [, target, parameters = ""] of (header ?? "").matchAll(LINK)) {
    const rel = parameters
      .split(";")
      .map((parameter) => REL.exec(parameter))
      .find((match) => match !== null);
    const relations = (rel?.[1] ?? rel?.[2] ?? "").toLowerCase().split(/\s+/);
    if (relations.includes("next")) return target;
  }
  return undefined;
}
