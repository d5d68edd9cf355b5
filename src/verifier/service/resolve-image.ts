import type { Digest } from "../../core/oci/digest.ts";
import { type IndexChild, isIndexType, readIndex } from "../../core/oci/image-index.ts";
import type { ImageReference } from "../../core/oci/reference.ts";
import { Rejection } from "../../core/rejection.ts";
import { answered, type RegistryContext, UnavailableError } from "../collect/context.ts";
import { fetchManifest, type ManifestFound, resolveTag } from "../collect/resolve-tag.ts";

/** What a registry says about an image's name. */
export interface Resolved {
  readonly digest: Digest;
  /** Attacker-controlled; may be unspecific, or empty. */
  readonly mediaType: string;
  /** Of the manifest or index, in bytes. */
  readonly size?: number;
  /** The host that answered: the registry or a mirror. Printable. */
  readonly by: string;
  /** When it was asked; milliseconds since 1970. */
  readonly at: number;
  /** The images of an index, if it was read. */
  readonly children?: readonly IndexChild[];
  /** Why the index could not be read, where `children` was wanted. */
  readonly unread?: string;
}

export interface ResolveOptions {
  /** Also reads the index, if it is one: one more request. */
  readonly children?: boolean;
}

/**
 * Resolves an image's name as containerd would; without a tag, `latest`. A name with a digest is not resolved: then only
 * what has this digest is fetched, whatever the tag beside it.
 *
 * @throws Rejection registry.*, net.*
 */
export async function resolveImage(
  name: ImageReference,
  context: RegistryContext,
  { children = false }: ResolveOptions = {},
): Promise<Resolved> {
  const at = context.now();
  const found = await answered(
    name.digest === undefined ? resolveTag(name, context) : fetchManifest(name, name.digest, context),
  );
  const { digest, mediaType, size, by } = found;
  const resolved = { digest, mediaType, size, by, at };
  return children ? { ...resolved, ...(await childrenOf(name, found, context)) } : resolved;
}

/** A failure is shown and is no error: the image itself can be verified without its children. */
async function childrenOf(
  name: ImageReference,
  found: ManifestFound,
  context: RegistryContext,
): Promise<Pick<Resolved, "children" | "unread">> {
  try {
    const { mediaType, bytes } = found.bytes === undefined ? await fetchManifest(name, found.digest, context) : found;
    return isIndexType(mediaType) && bytes !== undefined ? { children: readIndex(bytes) } : {};
  } catch (error) {
    if (error instanceof UnavailableError || error instanceof Rejection) return { unread: error.message };
    throw error;
  }
}
