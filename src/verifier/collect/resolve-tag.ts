import { sha256Hex } from "../../core/encoding/sha256.ts";
import { type Digest, isDigest } from "../../core/oci/digest.ts";
import { errorWords } from "../../core/oci/error-body.ts";
import { ACCEPT_IMAGE } from "../../core/oci/image-index.ts";
import type { ImageReference } from "../../core/oci/reference.ts";
import { Rejection } from "../../core/rejection.ts";
import type { HttpResponse } from "../../io/net/exchange.ts";
import type { RegistryAnswer, RegistryClient } from "../../io/registry/client.ts";
import type { Endpoint } from "../../io/registry/endpoints.ts";
import { assertTimeLeft, type RegistryContext, UnavailableError } from "./context.ts";
import {
  accepted,
  type Limits,
  limitsAt,
  MAX_MIRRORS,
  MAX_REDIRECTS,
  plainInstead,
  registryClient,
} from "./registry-host.ts";

/** Cap on a manifest or an index in bytes: containerd takes none that is larger (MaxManifestSize). */
const MAX_MANIFEST = 4 * 1024 * 1024;
const DEFAULT_TAG = "latest";

/** A manifest or an index as a registry describes it. */
export interface ManifestFound {
  readonly digest: Digest;
  /** Attacker-controlled, without parameters; may be unspecific or empty. */
  readonly mediaType: string;
  readonly size: number;
  /** The host that answered, for messages. */
  readonly by: string;
  /** Present where it was fetched; it hashes to the digest. */
  readonly bytes?: Uint8Array;
}

type Failed = UnavailableError | Rejection;

/**
 * Asks which digest a tag points to, as containerd does (core/remotes/docker/resolver.go): HEAD at the hosts with the
 * capability `resolve`, in their order, and GET where the answer names no digest or no size, or HEAD is not allowed.
 *
 * @throws UnavailableError, Rejection where no host answers it
 */
export async function resolveTag(name: ImageReference, context: RegistryContext): Promise<ManifestFound> {
  const target = `manifests/${name.tag ?? DEFAULT_TAG}`;
  return atHosts(
    name,
    context,
    (endpoint) => endpoint.isForDigestsOnly !== true,
    async (client, isLast) => {
      const url = client.urlOf(target);
      const head = await client.get(url, { ...REQUEST, method: "HEAD" });
      const { status } = head.response;
      if (status === 404) throw unknown(name, isLast ? await client.get(url, REQUEST) : head);
      const named = status === 405 ? undefined : described(head);
      if (named !== undefined) return named;
      return content(await client.get(url, REQUEST), digestNamed(head.response), context);
    },
  );
}

/**
 * Fetches a manifest or an index by its digest, at the hosts that serve images.
 *
 * @throws UnavailableError, Rejection where no host serves it
 */
export async function fetchManifest(
  name: ImageReference,
  digest: Digest,
  context: RegistryContext,
): Promise<ManifestFound & { readonly bytes: Uint8Array }> {
  return atHosts(
    name,
    context,
    () => true,
    async (client) => content(await client.get(client.urlOf(`manifests/${digest}`), REQUEST), digest, context),
  );
}

const REQUEST = { accept: ACCEPT_IMAGE, maxBytes: MAX_MANIFEST, maxRedirects: MAX_REDIRECTS } as const;

/** The first answer of the hosts; a failure says what each one answered. */
async function atHosts<T>(
  name: ImageReference,
  context: RegistryContext,
  isAsked: (endpoint: Endpoint) => boolean,
  ask: (client: RegistryClient, isLast: boolean) => Promise<T>,
): Promise<T> {
  const { all, problems } = context.registries.endpoints(name);
  const server = all.at(-1) ?? all[0];
  const mirrors = all.slice(0, -1).filter(isAsked).slice(0, MAX_MIRRORS);
  const hosts = isAsked(server) ? [...mirrors, server] : mirrors;
  const failed: Failed[] = [];
  for (const [i, host] of hosts.entries()) {
    const limits = host === server ? undefined : limitsAt(i, mirrors.length, context.deadline);
    try {
      return await atHost(host, (client) => ask(client, i === hosts.length - 1), name, context, limits);
    } catch (error) {
      if (!(error instanceof UnavailableError || error instanceof Rejection)) throw error;
      failed.push(error);
    }
  }
  throw together(failed, problems, server);
}

async function atHost<T>(
  endpoint: Endpoint,
  ask: (client: RegistryClient) => Promise<T>,
  name: ImageReference,
  context: RegistryContext,
  limits: Limits | undefined,
): Promise<T> {
  if (endpoint.unusable !== undefined) {
    throw new UnavailableError("registry.unreachable", `${endpoint.root} is not contacted: ${endpoint.unusable}`);
  }
  try {
    return await ask(registryClient(endpoint, name, context, limits));
  } catch (error) {
    const plain = error instanceof UnavailableError ? plainInstead(endpoint, [error]) : undefined;
    if (plain === undefined) throw error;
    return atHost(plain, ask, name, context, limits);
  }
}

/** The last host's failure, which is the registry's own where it was asked, with all others. */
function together(failed: readonly Failed[], problems: readonly string[], server: Endpoint): Failed {
  const last = failed.at(-1);
  if (last === undefined) {
    const detail = `hosts.toml gives neither ${server.root} nor a mirror the capabilities pull and resolve`;
    return new UnavailableError("registry.unreachable", [detail, ...problems].join("; "));
  }
  if (failed.length + problems.length === 1) return last;
  const detail = [...failed.map(({ message }) => message), ...problems].join("; ");
  return new UnavailableError(last.code, detail, { cause: last });
}

/**
 * What the headers say; undefined where the content must be fetched.
 *
 * @throws UnavailableError where the status is another than 200, or the digest is not a sha256 digest
 */
function described(answer: RegistryAnswer): ManifestFound | undefined {
  const response = accepted(answer);
  const digest = digestNamed(response);
  const length = response.headers.get("content-length");
  if (digest === undefined || length === null || length === undefined || !/^\d{1,15}$/.test(length)) return undefined;
  const size = Number(length);
  if (size > MAX_MANIFEST) {
    const detail = `${answer.host} announces a manifest of ${size} bytes, more than the limit of ${MAX_MANIFEST}`;
    throw new UnavailableError("registry.bad_response", detail);
  }
  return { digest, mediaType: mediaTypeOf(response), size, by: answer.host };
}

/** @throws UnavailableError where it does not hash to the digest expected, or to the one that the answer names */
function content(
  answer: RegistryAnswer,
  expected: Digest | undefined,
  context: RegistryContext,
): ManifestFound & { readonly bytes: Uint8Array } {
  const response = accepted(answer);
  assertTimeLeft("the manifest", context);
  const digest = `sha256:${sha256Hex(response.body)}` as Digest;
  for (const named of [expected, digestNamed(response)]) {
    if (named === undefined || named === digest) continue;
    const detail = `${answer.host} names the digest ${named}, but the manifest that it sends hashes to ${digest}`;
    throw new UnavailableError("registry.bad_response", detail);
  }
  const { body } = response;
  return { digest, mediaType: mediaTypeOf(response), size: body.length, by: answer.host, bytes: body };
}

/** @throws UnavailableError where it is not a sha256 digest: no record can be about another one */
function digestNamed({ headers, url }: HttpResponse): Digest | undefined {
  const named = headers.get("docker-content-digest")?.trim() ?? "";
  if (named === "") return undefined;
  if (isDigest(named)) return named;
  const detail = `${new URL(url).host} sends a Docker-Content-Digest that is not a sha256 digest`;
  throw new UnavailableError("registry.bad_response", detail);
}

function mediaTypeOf({ headers }: HttpResponse): string {
  return (headers.get("content-type") ?? "").split(";", 1)[0]?.trim() ?? "";
}

/** A 404 with a registry's error says that there is no such tag; any other page with this status says nothing. */
function unknown(
  { host: registry, path, tag = DEFAULT_TAG }: ImageReference,
  answer: RegistryAnswer,
): UnavailableError {
  const { response, said, host } = answer;
  const isRegistrys = response.body.length === 0 || errorWords(response.body).some((word) => word !== undefined);
  const what = `${host} knows no tag "${tag}" of ${registry}/${path}`;
  if (response.status === 404 && isRegistrys) {
    return new UnavailableError("registry.unknown_tag", `${what}${said}; check the name and the tag`);
  }
  const how = response.status === 404 ? "but not as a registry does" : `to HEAD, and ${response.status} to GET`;
  return new UnavailableError("registry.bad_response", `${host} answered with status 404, ${how}`);
}
