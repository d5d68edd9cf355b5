import { findCertificates } from "../../core/encoding/pem.ts";
import { checkTarget } from "./address-guard.ts";
import type { HttpRequest } from "./exchange.ts";
import { checkedAddresses, type HttpClientOptions } from "./hop.ts";
import { proxyFor } from "./proxy.ts";
import { describeName } from "./tls-failure.ts";
import { type HandshakeResult, shakeHands } from "./tls-handshake.ts";
import { bare, isIpLiteral, withHost } from "./url-host.ts";

/** A certificate of a chain whose signature matters: it is not itself a listed authority. */
export interface SignedCertificate {
  /** Its subject, quoted; attacker-controlled. */
  readonly name: string;
  /** Attacker-controlled. */
  readonly der: Uint8Array;
}

/** A host's certificate chain, leaf first, or why it could not be seen, as a clause. */
export type ShownChain = { readonly chain: readonly SignedCertificate[] } | { readonly unseen: string };

/** Milliseconds for the handshake. */
const TIMEOUT = 3_000;

/**
 * Gets a host's certificate chain, for the doctor only: fetch does not expose certificates. Addresses pass the same
 * guard as in a request, and the same proxy is used.
 */
export async function showChain(
  { url: text, originMayBePrivate, tls = {} }: Pick<HttpRequest, "url" | "originMayBePrivate" | "tls">,
  options: HttpClientOptions,
): Promise<ShownChain> {
  try {
    const url = new URL(text);
    checkTarget(url, options.allow);
    const proxy = proxyFor(url, options.proxies);
    const guard = { options, signal: AbortSignal.timeout(TIMEOUT) };
    // A proxy resolves the name itself, as for a request.
    const isOwnDoing = proxy === undefined || isIpLiteral(url);
    const target = isOwnDoing ? await checkedAddresses(url, originMayBePrivate, guard) : undefined;
    const { checked } = (proxy && (await checkedAddresses(proxy, true, guard))) ?? target ?? { checked: [] };
    const authorities = await options.authorities.readable(options.warn, tls.ca);
    const serverName = isIpLiteral(url) ? {} : { serverName: url.hostname };
    const peer = { port: Number(url.port || 443), ...serverName, authorities, time: TIMEOUT };
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
 * The chain up to the first listed authority, whose key counts and not its signature, as in Go; the runtime returns the
 * whole chain.
 */
function signedPart(chain: HandshakeResult["chain"], authorities: readonly string[]): readonly SignedCertificate[] {
  const listed = new Set(authorities.map(derOf));
  const end = chain.findIndex(({ raw }) => listed.has(raw.toString("base64")));
  return chain.slice(0, end === -1 ? chain.length : end).map(({ subject, raw }) => ({
    name: describeName(subject),
    der: raw,
  }));
}

/** As base64 in canonical form. */
function derOf(pem: string): string {
  const body = findCertificates(pem)[0]?.pem?.replace(/-----[^-]*-----/g, "") ?? "";
  return Buffer.from(body, "base64").toString("base64");
}
