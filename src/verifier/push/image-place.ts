import type { Subject } from "../../core/evidence/evidence.ts";
import { checkContent } from "../../core/oci/artifact.ts";
import { ACCEPT_IMAGE } from "../../core/oci/image-index.ts";
import type { ImageDescriptor } from "../../core/oci/stored.ts";
import { reject } from "../../core/rejection.ts";
import type { AuthoriseContext } from "../../io/registry/authorise.ts";
import type { RegistryClient } from "../../io/registry/client.ts";
import type { Endpoint } from "../../io/registry/endpoints.ts";
import { type RegistryContext, UnavailableError } from "../collect/context.ts";
import { accepted, MAX_REDIRECTS, plainInstead, registryClient } from "../collect/registry-host.ts";

/** Bytes of a manifest or of an index: registries take no larger ones. */
export const MAX_MANIFEST = 4 * 1024 * 1024;

type Actions = AuthoriseContext["actions"];

/** An image at the registry that its name says, where something is stored beside it. */
export interface ImagePlace {
  readonly client: RegistryClient;
  /** As the registry has it: a referrer names its type and size. */
  readonly image: ImageDescriptor;
  /** Host of the registry. */
  readonly host: string;
}

/**
 * Opens the image's registry for pushing, never a mirror. By http only where that is allowed, and TLS is not spoken.
 *
 * @param actions what a token is asked for: `pull` where nothing will be pushed
 * @throws Rejection registry.*, net.*; UnavailableError
 */
export async function openImage(
  subject: Subject,
  context: RegistryContext,
  actions: Actions = "pull,push",
): Promise<ImagePlace> {
  const { all, problems } = context.registries.endpoints(subject.name);
  const server = all.at(-1) ?? all[0];
  if (server.unusable !== undefined) {
    reject("registry.unreachable", [`${server.root} is not contacted: ${server.unusable}`, ...problems].join("; "));
  }
  return openAt(server, subject, context, actions);
}

async function openAt(
  endpoint: Endpoint,
  subject: Subject,
  context: RegistryContext,
  actions: Actions,
): Promise<ImagePlace> {
  const client = registryClient(endpoint, subject.name, context, undefined, actions);
  try {
    return { client, image: await imageAt(client, subject), host: new URL(endpoint.root).host };
  } catch (error) {
    const plain = error instanceof UnavailableError ? plainInstead(endpoint, [error]) : undefined;
    if (plain === undefined) throw error;
    return openAt(plain, subject, context, actions);
  }
}

async function imageAt(client: RegistryClient, { digest }: Subject): Promise<ImageDescriptor> {
  const url = client.urlOf(`manifests/${digest}`);
  const request = { accept: ACCEPT_IMAGE, maxBytes: MAX_MANIFEST, maxRedirects: MAX_REDIRECTS };
  const { body, headers } = accepted(await client.get(url, request));
  checkContent(body, { digest, artifactType: undefined, annotations: {} }, "the image's manifest");
  const mediaType = headers.get("content-type")?.split(";", 1)[0]?.trim() ?? "";
  return { mediaType, digest, size: body.length };
}
