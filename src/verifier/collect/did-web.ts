import { type Did, didWebHost } from "../../core/atproto/syntax.ts";
import type { Fetched } from "../../core/evidence/evidence.ts";
import { ask, badStatus, type CollectContext, fetched, MAX_IDENTITY, Missing } from "./context.ts";
import { itSays, readError } from "./peer-error.ts";

/**
 * Fetches the document of a did:web over our guarded client, at the URL of the reference resolver (spec 3.4), which is
 * loaded while the host is asked. What the document proves is for the core to say, from the bytes as they came: this
 * returns whatever was answered with status 200.
 *
 * @throws Missing
 */
export async function fetchDidWeb(did: Did, context: CollectContext): Promise<Fetched> {
  const host = didWebHost(did);
  const { hosts } = context.config.network;
  if (host.includes(":") && !hosts.includes(host) && !hosts.includes(host.slice(0, host.indexOf(":")))) {
    throw new Missing(
      "net.forbidden_address",
      `${did} names a port, which only hosts listed in network.allow may have`,
    );
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
    // Only the status and the bytes count: that they are no JSON is found again in the core, and that a
    // Response of status 204 has no body matters to the resolver alone.
  }
  if (wanted !== url) throw new Error(`the reference resolver asks ${wanted}, and ${url} was asked`);
  if (response.status === 404 || response.status === 410) {
    throw new Missing(
      "identity.unknown_did",
      `${host} does not know ${did} (status ${response.status})${itSays(readError(response))}`,
    );
  }
  if (response.status !== 200) badStatus("identity", response, itSays(readError(response)));
  return fetched(response);
}

/** Plain http for localhost alone, as the reference resolver has it. */
function documentUrl(host: string): string {
  const url = new URL(`https://${host}/.well-known/did.json`);
  if (url.hostname === "localhost") url.protocol = "http";
  return url.href;
}
