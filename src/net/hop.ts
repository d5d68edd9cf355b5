import type { NetworkAllow } from "../config/network-allow.ts";
import { checkTarget, hostAndPort, refusedAddress } from "./address-guard.ts";
import { type FailedAttempt, firstAnswer, type Outcome } from "./attempts.ts";
import { type CheckedRequest, fetchChecked, resolveByBun } from "./bun-fetch.ts";
import { type HostTls, HttpFailure, type HttpRequest } from "./exchange.ts";
import { errorCode, failureKind, mostTelling } from "./failure.ts";
import { type Proxies, proxyFor } from "./proxy.ts";
import { interleaveFamilies, orAbort, type Resolver } from "./resolve.ts";

/** Addresses of one host that are tried: a name with a thousand of them opens no thousand connections. */
const MAX_ADDRESSES = 6;

export interface HttpClientOptions {
  /** This program's version, for the User-Agent. */
  readonly version: string;
  /** The configuration's network.allow. */
  readonly allow: NetworkAllow;
  readonly proxies: Proxies;
  /** Certificate authorities beside the system's, as PEM texts. */
  readonly ca: readonly string[];
  /** `HOST` or `HOST:PORT` that need not prove their name where a request says so. */
  readonly skipVerify: readonly string[];
  /** Another source of addresses than the system's; what it says is checked all the same. */
  readonly resolve?: Resolver;
}

/** What the hops of one exchange share. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly options: HttpClientOptions;
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
  /** Whether it is no redirect: further headers, and credentials among them, go nowhere else. */
  readonly isFirst: boolean;
}

/** One request to one host, at the first of its checked addresses that answers, or through a proxy. */
export async function askHop(hop: Hop, exchange: Exchange): Promise<Response> {
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
  const open = (address: string, attempt: AbortSignal, ca?: readonly string[]): Promise<Response> => {
    const where: Pick<CheckedRequest, "address" | "proxy"> =
      proxy === undefined ? { address } : { proxy: withHost(proxy, address), ...(isLiteral && { address: bare(url) }) };
    return fetchChecked({ ...base, ...where, ...(ca && { ca }), signal: attempt });
  };
  const outcome = await withRoots(open, addresses, rootsOf(tls, options), exchange);
  if ("answer" in outcome) return outcome.answer;
  const kinds = outcome.failed.map((attempt) => ("error" in attempt ? failureKind(attempt.error) : "timeout"));
  const by = proxy === undefined ? "" : `by the proxy ${proxy.host}: `;
  throw new HttpFailure(
    mostTelling(kinds),
    `${by}${[...outcome.failed.map(describeAttempt), ...target.refused].join("; ")}`,
  );
}

const NOTHING_REFUSED = { checked: [], refused: [] } as const;

/** A host's addresses that may be contacted, and why others may not. */
async function checkedAddresses(
  url: URL,
  mayBePrivate: boolean,
  exchange: Exchange,
): Promise<{ readonly checked: readonly string[]; readonly refused: readonly string[] }> {
  const { allow } = exchange.options;
  const found = isIpLiteral(url) ? [bare(url)] : await lookUp(url.hostname, exchange);
  const refusals = found.map((address) => refusedAddress(address, url, allow, mayBePrivate));
  const checked = found.filter((_, i) => refusals[i] === undefined);
  const refused = refusals.filter((refusal) => refusal !== undefined).slice(0, MAX_ADDRESSES);
  if (checked.length === 0) throw new HttpFailure("forbidden_address", refused.join("; "));
  return { checked: interleaveFamilies(checked).slice(0, MAX_ADDRESSES), refused };
}

async function lookUp(host: string, { options, signal }: Exchange): Promise<readonly string[]> {
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

/** The system's authorities, and then those that are given beside them: either may vouch for the host. */
function rootsOf(tls: HostTls, { ca }: HttpClientOptions): readonly (readonly string[] | undefined)[] {
  const further = [...(tls.ca ?? []), ...ca];
  return further.length === 0 ? [undefined] : [undefined, further];
}

/** Bun takes given authorities in place of the system's, so each kind has its own try. */
async function withRoots(
  open: (address: string, attempt: AbortSignal, ca?: readonly string[]) => Promise<Response>,
  addresses: readonly string[],
  roots: readonly (readonly string[] | undefined)[],
  { endsAt, signal }: Exchange,
): Promise<Outcome<Response>> {
  let outcome: Outcome<Response> = { failed: [] };
  for (const ca of roots) {
    const time = endsAt - performance.now();
    outcome = await firstAnswer(addresses, (address, attempt) => open(address, attempt, ca), time, signal);
    const isUntrusted =
      "failed" in outcome && outcome.failed.some((one) => "error" in one && failureKind(one.error) === "tls");
    if (!isUntrusted) break;
  }
  return outcome;
}

function describeAttempt({ address, ...attempt }: FailedAttempt): string {
  return `${address}: ${"error" in attempt ? errorCode(attempt.error) : "no answer"}`;
}

/** Whether the host is an address: the URL parser has brought every notation of one to these forms. */
function isIpLiteral(url: URL): boolean {
  return url.hostname.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(url.hostname);
}

function bare(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function withHost(proxy: URL, address: string): string {
  const pinned = new URL(proxy.href);
  pinned.hostname = address.includes(":") ? `[${address}]` : address;
  return pinned.href;
}
