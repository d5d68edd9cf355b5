import { field, isJsonObject, parseJson } from "../encoding/json.ts";
import { reject } from "../rejection.ts";
import { optionalText } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import { platformOf } from "./image-platform.ts";

/** What containerd asks for where it resolves a tag, in its order (core/remotes/docker/resolver.go of containerd). */
export const ACCEPT_IMAGE = [
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "*/*",
].join(", ");

const INDEX_TYPES: ReadonlySet<string> = new Set([
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.index.v1+json",
]);

/** Manifests of one index; stops a file of empty entries from becoming as many objects. */
const MAX_CHILDREN = 1000;

/** A manifest that an index lists. */
export interface IndexChild {
  readonly digest: Digest;
  /** Attacker-controlled. */
  readonly mediaType: string;
  /** `linux/amd64`, `linux/arm/v7`; absent where the index names none that can be read. */
  readonly platform?: string;
}

/** Whether the media type is that of an index, in OCI's form or Docker's. */
export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.has(mediaType);
}

/**
 * Reads the images of an index (OCI image spec, image-index.md), in its order. Attestations, which BuildKit lists with the
 * platform `unknown/unknown`, and entries without a sha256 digest are left out.
 *
 * @param bytes attacker-controlled
 * @throws Rejection registry.bad_response
 */
export function readIndex(bytes: Uint8Array): readonly IndexChild[] {
  const index = parseJson(bytes, "registry.bad_response", "the image index");
  const manifests = isJsonObject(index) ? field(index, "manifests") : undefined;
  if (!Array.isArray(manifests)) return reject("registry.bad_response", "the image index lists no manifests");
  if (manifests.length > MAX_CHILDREN) {
    reject("registry.bad_response", `the image index lists ${manifests.length} manifests, more than ${MAX_CHILDREN}`);
  }
  return (manifests as readonly unknown[]).flatMap((entry): readonly IndexChild[] => {
    const digest = isJsonObject(entry) ? field(entry, "digest") : undefined;
    if (!isJsonObject(entry) || typeof digest !== "string" || !isDigest(digest)) return [];
    const named = field(entry, "platform");
    const platform = isJsonObject(named) ? platformOf(named) : undefined;
    if (platform === "unknown/unknown") return [];
    return [{ digest, mediaType: optionalText(entry, "mediaType") ?? "", ...(platform !== undefined && { platform }) }];
  });
}
