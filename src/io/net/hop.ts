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

/** Addresses of one host that are tried: a name with a thousand of them opens no thousand connections. */
const MAX_ADDRESSES = 6;

/** What all questions share. */
export interface HttpSettings {
  /** This program's version, for the User-Agent. */
  readonly version: string;
  /** The configuration's network.allow. */
  readonly allow: NetworkAllow;
  readonly proxies: Proxies;
  readonly authorities: Authorities;
  /** `HOST` or `HOST:PORT` that need not prove their name where a request says so. */
  readonly skipVerify: readonly string[];
  /** Another source of addresses than the system's; what it says is checked all the same. */
  readonly resolve?: Resolver;
}

export interface HttpClientOptions extends HttpSettings {
  /** Of authorities that are not used, again at each request. */
  readonly warn: Warn;
}

/** What the hops of one exchange share. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly options: HttpClientOptions;
  /** What no message may repeat of whoever answers. */
  readonly sent: readonly Sent[];
  /** Aborts when the time of the whole exchange is over. */
  readonly signal: AbortSignal;
  /** performance.now() at that moment. */
  readonly endsAt: number;
}

/** Where one hop leads, and what it may do there. */
export interface Hop {
  readonly url: URL;
  readonly mayBePrivate: boolean;
  /** Whether it is the request's own host and port: what is said of that host's TLS holds there alone. */
  readonly isOwnHost: boolean;
  /** Whether it is no redirect, or one within the origin: further headers, and credentials among them, go nowhere else. */
  readonly isFirst: boolean;
  /** Whether a peer named the URL, so that its host may repeat what was sent. */
  readonly isNamedByPeer: boolean;
}

/** One request to one host, at the first of its checked addresses that answers, or through a proxy. */
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
  // Through a proxy the proxy looks the name up; an address in the URL is checked all the same.
  const target = isOwnDoing ? await checkedAddresses(url, hop.mayBePrivate, exchange) : NOTHING_REFUSED;
  const via = proxy && (await checkedAddresses(proxy, true, exchange));
  const addresses = (via ?? target).checked;
  if (proxy === undefined && hop.isOwnHost) await checkDial(addresses, url, exchange);

  const tls = hop.isOwnHost ? (request.tls ?? {}) : {};
  const skipVerify = tls.skipVerify === true && mayGoUnverified(url, options.skipVerify);
  const base = {
    url,
    headers: headersOf(hop, exchange),
    ...(request.form && { body: new URLSearchParams(request.form).toString() }),
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
  const outcome = await firstAnswer(addresses, open, exchange.endsAt - performance.now(), signal);
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

/** @throws HttpFailure where no address takes a connection within the time that the request has for that */
async function checkDial(addresses: readonly string[], url: URL, { request, signal }: Exchange): Promise<void> {
  const { dialTimeout } = request;
  if (dialTimeout === undefined) return;
  const port = Number(url.port || (url.protocol === "http:" ? 80 : 443));
  const { staysSilent } = await import("./dial.ts");
  if (await staysSilent(addresses, port, dialTimeout, signal)) {
    throw new HttpFailure("unreachable", `no connection within ${dialTimeout} ms (dial_timeout of hosts.toml)`);
  }
}

const NOTHING_REFUSED = { checked: [], refused: [] } as const;

/** A host's addresses that may be contacted, and why others may not. */
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
    if (signal.aborted) throw new HttpFailure("timeout", `the look-up of ${host} got no answer`, { cause });
    throw new HttpFailure("unreachable", `${host} does not resolve (${errorCode(cause)})`, { cause });
  }
  if (found.length === 0) throw new HttpFailure("unreachable", `${host} has no address`);
  return found;
}

/** Ours are set last: what hosts.toml says replaces none of them. */
function headersOf({ url, isFirst }: Hop, { request, options }: Exchange): Headers {
  const headers = new Headers(isFirst ? request.headers : {});
  for (const name of ["connection", "content-length", "transfer-encoding"]) headers.delete(name);
  headers.set("Host", url.host);
  headers.set("Accept", request.accept);
  headers.set("Accept-Encoding", "identity");
  headers.set("User-Agent", `atcr-verify/${options.version}`);
  if (request.form !== undefined) headers.set("Content-Type", "application/x-www-form-urlencoded");
  return headers;
}

function mayGoUnverified(url: URL, listed: readonly string[]): boolean {
  if (listed.includes(url.hostname) || listed.includes(hostAndPort(url))) return true;
  throw new HttpFailure("tls", `${url.host} is not verified only if network.skipVerify lists it`);
}

/** Bun takes a list of authorities only as a whole: where it refuses it, those that cannot be parsed are left out. */
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
 * Where nothing is verified, a certificate whose key usage forbids signing is no obstacle either. BoringSSL insists on
 * that in every handshake with a signature, so there the one without is tried.
 */
async function fetchUnverified(request: Omit<CheckedRequest, "authorities">): Promise<Response> {
  const unverified = { ...request, authorities: [] };
  try {
    return await fetchChecked(unverified);
  } catch (error) {
    if (!request.skipVerify || errorCode(error) !== HANDSHAKE_FAILED) throw error;
    // What it fails by is not worth telling where the first handshake failed by something else.
    return fetchChecked({ ...unverified, byKeyTransport: true }).catch(() => {
      throw error;
    });
  }
}

/**
 * What Bun says where it can make no TLS context, before it opens a connection (through a proxy: before it says
 * anything to the host), and where it can open no socket.
 */
const NO_CONTEXT = "FailedToOpenSocket";

/** What else there is to make a TLS context of. */
function unusable(error: unknown, { client }: Pick<CheckedRequest, "client">): unknown {
  if (client === undefined) return error;
  return new HttpFailure("tls", "our client certificate or its key cannot be used", { cause: error });
}
