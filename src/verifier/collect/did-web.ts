import { type Did, didWebHost } from "../../core/atproto/syntax.ts";
import type { Fetched } from "../../core/evidence/evidence.ts";
import { ask, badStatus, type CollectContext, fetched, MAX_IDENTITY, UnavailableError } from "./context.ts";
import { itSays, readError } from "./peer-error.ts";

/**
 * Fetches the document of a did:web with our guarded client, at the URL that the reference resolver uses (spec 3.4);
 * the resolver is loaded meanwhile. Returns any answer with status 200: the core reads the document from these bytes.
 *
 * @throws UnavailableError
 */
export async function fetchDidWeb(did: Did, context: CollectContext): Promise<Fetched> {
  const host = didWebHost(did);
  const { hosts } = context.config.network;
  if (host.includes(":") && !hosts.includes(host) && !hosts.includes(host.slice(0, host.indexOf(":")))) {
    throw new UnavailableError("net.forbidden_address", `${did} has a port, and network.allow does not list ${host}`);
  }

  const { didResolverTimeout } = context.config;
  const url = documentUrl(host);
  const [response, { resolveDidWeb }] = await Promise.all([
    ask(
      "identity",
      {
        url,
        accept: "application/did+ld+json,application/json",
        maxBytes: MAX_IDENTITY,
        timeout: didResolverTimeout,
        maxRedirects: 0,
        originMayBePrivate: false,
        purpose: "did:web host",
      },
      context,
    ),
    import("./reference-resolvers.ts"),
  ]);

  let wanted: string | undefined;
  try {
    await resolveDidWeb(did, didResolverTimeout, async (resolved) => {
      wanted = resolved;
      return new Response(response.body.slice(), { status: response.status });
    });
  } catch {
    // Only the status and the bytes count: the core finds invalid JSON itself, and a missing body (status 204)
    // matters only to the resolver.
  }
  if (wanted !== url) throw new Error(`the reference resolver asks ${wanted}, and ${url} was asked`);
  if (response.status === 404 || response.status === 410) {
    throw new UnavailableError(
      "identity.unknown_did",
      `${host} does not know ${did} (status ${response.status})${itSays(readError(response))}`,
    );
  }
  if (response.status !== 200) badStatus("identity", response, itSays(readError(response)));
  return fetched(response);
}

/** Plain http only for localhost, like the reference resolver. */
function documentUrl(host: string): string {
  const url = new URL(`https://${host}/.well-known/did.json`);
  if (url.hostname === "localhost") url.protocol = "http";
  return url.href;
}
