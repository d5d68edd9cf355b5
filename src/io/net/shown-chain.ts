import { findCertificates } from "../../core/encoding/pem.ts";
import { checkTarget } from "./address-guard.ts";
import type { HttpRequest } from "./exchange.ts";
import { checkedAddresses, type HttpClientOptions } from "./hop.ts";
import { proxyFor } from "./proxy.ts";
import { describeName } from "./tls-failure.ts";
import { type HandshakeResult, shakeHands } from "./tls-handshake.ts";
import { bare, isIpLiteral, withHost } from "./url-host.ts";

/** A certificate whose signature counts, as it is one of a chain and no listed authority. */
export interface SignedCertificate {
  /** Its subject, quoted; chosen by whoever made it. */
  readonly name: string;
  /** Attacker-controlled. */
  readonly der: Uint8Array;
}

/** The chain of a host, its own certificate first, or why it was not to be seen, as a clause. */
export type ShownChain = { readonly chain: readonly SignedCertificate[] } | { readonly unseen: string };

/** Milliseconds for the handshake. */
const PATIENCE = 3_000;

/**
 * By which chain a host proves its name, as fetch shows no certificate: for the doctor, and nothing follows from it.
 * Addresses pass the same guard as
 * those of a request, and a proxy is used where a request uses it.
 */
export async function showChain(
  { url: text, originMayBePrivate, tls = {} }: Pick<HttpRequest, "url" | "originMayBePrivate" | "tls">,
  options: HttpClientOptions,
): Promise<ShownChain> {
  try {
    const url = new URL(text);
    checkTarget(url, options.allow);
    const proxy = proxyFor(url, options.proxies);
    const guard = { options, signal: AbortSignal.timeout(PATIENCE) };
    // Through a proxy the proxy looks the name up, as for a request.
    const isOwnDoing = proxy === undefined || isIpLiteral(url);
    const target = isOwnDoing ? await checkedAddresses(url, originMayBePrivate, guard) : undefined;
    const { checked } = (proxy && (await checkedAddresses(proxy, true, guard))) ?? target ?? { checked: [] };
    const authorities = await options.authorities.readable(options.warn, tls.ca);
    const serverName = isIpLiteral(url) ? {} : { serverName: url.hostname };
    const peer = { port: Number(url.port || 443), ...serverName, authorities, time: PATIENCE };
    let unseen = "it has no address";
    for (const address of checked) {
      const where = proxy ? { host: bare(url), proxy: withHost(proxy, address) } : { host: address };
      const shown = await shakeHands({ ...peer, ...where });
      if (shown !== undefined && shown.error === undefined) return { chain: signedPart(shown.chain, authorities) };
      unseen = `the handshake failed (${shown?.error ?? "no answer"})`;
    }
    return { unseen };
  } catch (error) {
    return { unseen: (error as Error).message };
  }
}

/**
 * Up to the first that is trusted as it is: a listed authority, of which the key counts and not its signature, as for
 * Go; the runtime shows a chain to its end.
 */
function signedPart(chain: HandshakeResult["chain"], authorities: readonly string[]): readonly SignedCertificate[] {
  const listed = new Set(authorities.map(derOf));
  const end = chain.findIndex(({ raw }) => listed.has(raw.toString("base64")));
  return chain.slice(0, end === -1 ? chain.length : end).map(({ subject, raw }) => ({
    name: describeName(subject),
    der: raw,
  }));
}

/** As base64 in one form. */
function derOf(pem: string): string {
  const body = findCertificates(pem)[0]?.pem?.replace(/-----[^-]*-----/g, "") ?? "";
  return Buffer.from(body, "base64").toString("base64");
}
