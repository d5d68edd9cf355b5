import { DidWebResolver } from "@atproto/identity";
import { type Did, didWebHost } from "../atproto/syntax.ts";
import type { Fetched } from "../verify/evidence.ts";
import { ask, badStatus, type CollectContext, fetched, MAX_IDENTITY, Missing, type PeerAnswer } from "./context.ts";
import { itSays, readError } from "./said.ts";

/**
 * Fetches the document of a did:web by the reference resolver over our guarded client (spec 3.4).
 * What it proves is for the core to say, from the bytes as they came: this returns whatever was
 * answered with status 200.
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

  let response: PeerAnswer | undefined;
  const guarded = async (input: string | URL | Request): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input);
    response = await ask(
      "identity",
      {
        url,
        accept: "application/did+ld+json,application/json",
        maxBytes: MAX_IDENTITY,
        timeout: context.config.didResolverTimeout,
        maxRedirects: 0,
        originMayBePrivate: false,
        purpose: "did:web host",
      },
      context,
    );
    return new Response(response.body.slice(), { status: response.status });
  };

  try {
    await new DidWebResolver(context.config.didResolverTimeout, undefined, guarded).resolveNoCheck(did);
  } catch (error) {
    // With an answer in hand, only its status and bytes count: that they are no JSON is found again in
    // the core, and that a Response of status 204 has no body matters to the resolver alone.
    if (response === undefined) throw error;
  }
  if (response === undefined) throw new Missing("identity.unreachable", `the resolver did not ask ${host}`);
  if (response.status === 404 || response.status === 410) {
    throw new Missing(
      "identity.unknown_did",
      `${host} does not know ${did} (status ${response.status})${itSays(readError(response))}`,
    );
  }
  if (response.status !== 200) badStatus("identity", response, itSays(readError(response)));
  return fetched(response);
}
