import type { NetworkAllow } from "../../core/config/network-allow.ts";
import type { Warn } from "../../core/warning.ts";
import { checkTarget, hostAndPort, refusedAddress } from "./address-guard.ts";
import type { Authorities } from "./authorities.ts";
import { type CheckedRequest, fetchChecked, resolveByBun } from "./bun-fetch.ts";
import { HttpFailure, type HttpRequest, type PemFile, type Sent } from "./exchange.ts";
import { errorCode, HANDSHAKE_FAILED } from "./failure.ts";
import { firstAnswer } from "./happy-eyeballs.ts";
import { hopFailure } from "./hop-failure.ts";
import { type Proxies, proxyFor } from "./proxy.ts";
import { repeatsSent, WITHHELD } from "./quote-peer.ts";
import { interleaveFamilies, orAbort, type Resolver } from "./resolve.ts";
import { bare, isIpLiteral, withHost } from "./url-host.ts";

/** Addresses of one host that are tried: a name with a thousand of them must not open a thousand connections. */
const MAX_ADDRESSES = 6;

/** Settings that all verifications share. */
export interface HttpSettings {
  /** This program's version, for the User-Agent. */
  readonly version: string;
  /** The configuration's network.allow. */
  readonly allow: NetworkAllow;
  readonly proxies: Proxies;
  readonly authorities: Authorities;
  /** `HOST` or `HOST:PORT` whose certificate a request may leave unverified. */
  readonly skipVerify: readonly string[];
  /** Replaces the system's resolver; its addresses are checked too. */
  readonly resolve?: Resolver;
}

export interface HttpClientOptions extends HttpSettings {
  /** Receives unused authorities, at each request. */
  readonly warn: Warn;
}

/** What all hops of one exchange share. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly options: HttpClientOptions;
  /** What no message may repeat from the peer's answer. */
  readonly sent: readonly Sent[];
  /** Aborts when the exchange's time is up. */
  readonly signal: AbortSignal;
  /** performance.now() at that moment. */
  readonly endsAt: number;
}

/** One request of an exchange, and what it may do. */
export interface Hop {
  readonly url: URL;
  readonly mayBePrivate: boolean;
  /** Whether it is the request's own host and port: only there do the request's TLS settings apply. */
  readonly isOwnHost: boolean;
  /** Whether it is no redirect, or one within the origin: only there are further headers and credentials sent. */
  readonly isFirst: boolean;
  /** Whether the URL came from a peer, so that its host may repeat what was sent. */
  readonly isNamedByPeer: boolean;
}

/** Sends one request to a host, at the first checked address that answers, or through a proxy. */
export async function askHop(hop: Hop, exchange: Exchange): Promise<Response> {
  try {
    return await askAddresses(hop, exchange);
  } catch (error) {
    if (!(error instanceof HttpFailure && hop.isNamedByPeer && repeatsSent(hop.url.host, exchange.sent))) throw error;
    throw new HttpFailure(error.kind, WITHHELD, { cause: error });
  }
}

async function askAddresses(hop: Hop, exchange: Exchange): Promise<Response> {
  const { request, options, signal } = exchange;
  const { url } = hop;
  signal.throwIfAborted();
  checkTarget(url, options.allow);
  const proxy = proxyFor(url, options.proxies);
  const isLiteral = isIpLiteral(url);
  const isOwnDoing = proxy === undefined || isLiteral;
  // A proxy resolves names itself; an address in the URL is checked nevertheless.
  const target = isOwnDoing ? await checkedAddresses(url, hop.mayBePrivate, exchange) : NOTHING_REFUSED;
  const via = proxy && (await checkedAddresses(proxy, true, exchange));
  const addresses = (via ?? target).checked;
  if (proxy === undefined && hop.isOwnHost) await checkDial(addresses, url, exchange);

  const tls = hop.isOwnHost ? (request.tls ?? {}) : {};
  const skipVerify = tls.skipVerify === true && mayGoUnverified(url, options.skipVerify);
  const { upload } = request;
  const base = {
    url,
    headers: headersOf(hop, exchange),
    ...(request.method && { method: request.method }),
    ...(request.form && { method: "POST" as const, body: new URLSearchParams(request.form).toString() }),
    ...(upload && { method: upload.method, ...(upload.bytes.length > 0 && { body: upload.bytes }) }),
    ...(!isLiteral && { serverName: url.hostname }),
    ...(tls.client && { client: tls.client }),
    skipVerify,
  };
  const isVerified = url.protocol === "https:" && !skipVerify;
  const open = (address: string, attempt: AbortSignal): Promise<Response> => {
    const where: Pick<CheckedRequest, "address" | "proxy"> =
      proxy === undefined ? { address } : { proxy: withHost(proxy, address), ...(isLiteral && { address: bare(url) }) };
    const request = { ...base, ...where, signal: attempt };
    return isVerified ? fetchVerified(request, options, tls.ca) : fetchUnverified(request);
  };
  // Two addresses must not store the same at the same time.
  const pace = upload === undefined ? "staggered" : "in turn";
  const outcome = await firstAnswer(addresses, open, exchange.endsAt - performance.now(), signal, pace);
  if ("answer" in outcome) return outcome.answer;
  const asked = {
    ...base,
    proxy,
    authorities: () => options.authorities.of(options.warn, tls.ca),
    refused: target.refused,
    sent: exchange.sent,
  };
  throw await hopFailure(outcome.failed, asked, exchange.endsAt - performance.now());
}

/** @throws HttpFailure where no address accepts a connection within the request's dialTimeout */
async function checkDial(addresses: readonly string[], url: URL, { request, signal }: Exchange): Promise<void> {
  const { dialTimeout } = request;
  if (dialTimeout === undefined) return;
  const port = Number(url.port || (url.protocol === "http:" ? 80 : 443));
  const { staysSilent } = await import("./dial.ts");
  if (await staysSilent(addresses, port, dialTimeout, signal)) {
    throw new HttpFailure("unreachable", `no connection within ${dialTimeout} ms (dial_timeout in hosts.toml)`);
  }
}

const NOTHING_REFUSED = { checked: [], refused: [] } as const;

/** Resolves a host: the addresses that may be contacted, and why others may not. */
export async function checkedAddresses(
  url: URL,
  mayBePrivate: boolean,
  exchange: Pick<Exchange, "options" | "signal">,
): Promise<{ readonly checked: readonly string[]; readonly refused: readonly string[] }> {
  const { allow } = exchange.options;
  const found = isIpLiteral(url) ? [bare(url)] : await lookUp(url.hostname, exchange);
  const refusals = found.map((address) => refusedAddress(address, url, allow, mayBePrivate));
  const checked = found.filter((_, i) => refusals[i] === undefined);
  const refused = refusals.filter((refusal) => refusal !== undefined).slice(0, MAX_ADDRESSES);
  if (checked.length === 0) throw new HttpFailure("forbidden_address", refused.join("; "));
  return { checked: interleaveFamilies(checked).slice(0, MAX_ADDRESSES), refused };
}

async function lookUp(
  host: string,
  { options, signal }: Pick<Exchange, "options" | "signal">,
): Promise<readonly string[]> {
  const resolve = options.resolve ?? resolveByBun;
  let found: readonly string[];
  try {
    found = await orAbort(resolve(host), signal);
  } catch (cause) {
    if (signal.aborted) throw new HttpFailure("timeout", `the DNS lookup of ${host} got no answer`, { cause });
    throw new HttpFailure("unreachable", `${host} does not resolve (${errorCode(cause)})`, { cause });
  }
  if (found.length === 0) throw new HttpFailure("unreachable", `${host} has no address`);
  return found;
}

/** Our own headers are set last, so that hosts.toml cannot replace them. */
function headersOf({ url, isFirst }: Hop, { request, options }: Exchange): Headers {
  const headers = new Headers(isFirst ? request.headers : {});
  for (const name of ["connection", "content-length", "transfer-encoding"]) headers.delete(name);
  headers.set("Host", url.host);
  headers.set("Accept", request.accept);
  headers.set("Accept-Encoding", "identity");
  headers.set("User-Agent", `atcr-verify/${options.version}`);
  if (request.form !== undefined) headers.set("Content-Type", "application/x-www-form-urlencoded");
  const { upload } = request;
  if (upload !== undefined && upload.bytes.length > 0) headers.set("Content-Type", upload.type);
  if (upload?.replaces === "none") headers.set("If-None-Match", "*");
  else if (upload?.replaces !== undefined) headers.set("If-Match", upload.replaces);
  return headers;
}

function mayGoUnverified(url: URL, listed: readonly string[]): boolean {
  if (listed.includes(url.hostname) || listed.includes(hostAndPort(url))) return true;
  throw new HttpFailure("tls", `hosts.toml sets skip_verify for ${url.host}, but network.skipVerify does not list it`);
}

/** Bun accepts a list of authorities only as a whole; if it refuses, the request is repeated without the unparsable ones. */
async function fetchVerified(
  request: Omit<CheckedRequest, "authorities">,
  { authorities, warn }: HttpClientOptions,
  own: readonly PemFile[] | undefined,
): Promise<Response> {
  const all = authorities.of(warn, own);
  try {
    return await fetchChecked({ ...request, authorities: all });
  } catch (error) {
    if (errorCode(error) !== NO_CONTEXT) throw error;
    const readable = await authorities.readable(warn, own);
    if (readable.length === all.length) throw unusable(error, request);
    return fetchChecked({ ...request, authorities: readable });
  }
}

/**
 * Without verification, a certificate whose key usage forbids signing must not fail either. BoringSSL checks that in
 * every handshake with a signature, so one without a signature is tried.
 */
async function fetchUnverified(request: Omit<CheckedRequest, "authorities">): Promise<Response> {
  const unverified = { ...request, authorities: [] };
  try {
    return await fetchChecked(unverified);
  } catch (error) {
    if (!request.skipVerify || errorCode(error) !== HANDSHAKE_FAILED) throw error;
    // Report the first error: it is the likelier cause.
    return fetchChecked({ ...unverified, byKeyTransport: true }).catch(() => {
      throw error;
    });
  }
}

/**
 * Bun's code where it cannot create a TLS context (nothing has been sent to the host then), or cannot open a socket.
 */
const NO_CONTEXT = "FailedToOpenSocket";

/** Without a client certificate the cause is another one. */
function unusable(error: unknown, { client }: Pick<CheckedRequest, "client">): unknown {
  if (client === undefined) return error;
  return new HttpFailure("tls", "the client certificate or key that hosts.toml names cannot be used", { cause: error });
}
