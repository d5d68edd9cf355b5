import { field, isJsonObject, parseJson } from "../encoding/json.ts";
import { reject } from "../rejection.ts";
import { type Descriptor, optionalText, readDescriptor } from "./descriptor.ts";
import { type Digest, digestHex } from "./digest.ts";

/** The artifact that ATCR attaches to an image it has a signed record of. */
export const SIGNATURE_TYPE = "application/vnd.atproto.signature.v1+json";
/** What tools write as the type of a descriptor or config that has none; it says nothing. */
const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";
const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** Referrers on one page; stops a registry from listing without end. */
const MAX_REFERRERS = 5000;

export const ACCEPT_INDEX = INDEX_TYPE;

/** Path of the Referrers API (OCI distribution spec 1.1). */
export function referrersPath(digest: Digest): string {
  return `referrers/${digest}?artifactType=${encodeURIComponent(SIGNATURE_TYPE)}`;
}

/** Path of the index that stands in where a registry lacks the Referrers API. */
export function fallbackTagPath(digest: Digest): string {
  return `manifests/sha256-${digestHex(digest)}`;
}

/**
 * Reads one page of referrers and keeps those that may be signatures (spec 3.1). A descriptor's
 * artifactType is a hint: where it says nothing, the manifest decides ({@link isSignatureType}).
 *
 * @param bytes attacker-controlled JSON
 * @throws Rejection registry.bad_response
 */
export function readReferrers(bytes: Uint8Array): readonly Descriptor[] {
  const index = parseJson(bytes, "registry.bad_response", "the list of referrers");
  const manifests = isJsonObject(index) ? field(index, "manifests") : undefined;
  if (!Array.isArray(manifests)) reject("registry.bad_response", "the list of referrers is not an OCI index");
  if (manifests.length > MAX_REFERRERS) {
    reject("registry.bad_response", `one page lists ${manifests.length} referrers, more than ${MAX_REFERRERS}`);
  }
  return manifests
    .filter((value: unknown) => {
      const artifactType = isJsonObject(value) ? optionalText(value, "artifactType") : undefined;
      return !saysSomething(artifactType) || artifactType === SIGNATURE_TYPE;
    })
    .map((value: unknown, i) => readDescriptor(value, "registry.bad_response", `candidate ${i + 1}`));
}

/** Whether a descriptor itself says that it is of a signature. */
export function isSignatureType(artifactType: string | undefined): boolean {
  return artifactType === SIGNATURE_TYPE;
}

/** Whether an artifact type means anything. */
export function saysSomething(artifactType: string | undefined): artifactType is string {
  return artifactType !== undefined && artifactType !== EMPTY_TYPE;
}

/**
 * The target of `Link: <…>; rel="next"` (RFC 8288), as it stands; undefined where there is none.
 *
 * @param header attacker-controlled
 */
export function nextPage(header: string | undefined): string | undefined {
  for (const link of (header ?? "").split(",")) {
    const [target = "", ...parameters] = link.split(";").map((part) => part.trim());
    const isNext = parameters.some((parameter) => parameter === "rel=next" || parameter === 'rel="next"');
    if (isNext && target.startsWith("<") && target.endsWith(">")) return target.slice(1, -1);
  }
  return undefined;
}
