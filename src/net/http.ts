import type { NetworkAllow } from "../config/network-allow.ts";
import { checkTarget, hostAndPort, refusedAddress } from "./address-guard.ts";
import { type FailedAttempt, firstAnswer } from "./attempts.ts";
import { readBody } from "./body.ts";
import type { Deadline } from "./deadline.ts";
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse } from "./exchange.ts";
import { errorCode, failureKind, mostTelling } from "./failure.ts";
import { interleaveFamilies, orAbort, type Resolver } from "./resolve.ts";

/** Addresses of one host that are tried: a name with a thousand of them opens no thousand connections. */
const MAX_ADDRESSES = 6;

/**
 * Names and values of all header fields together, in characters. Bun itself reads at most about
 * 250 fields and 1.5 MB; what goes on from here is far less, so that nobody has to parse a
 * megabyte of Link.
 */
const MAX_HEADERS = 64 * 1024;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface HttpClientOptions {
  /** This program's version, for the User-Agent. */
  readonly version: string;
  /** The configuration's network.allow. */
  readonly allow: NetworkAllow;
  /** Another source of addresses than the system's; what it says is checked all the same. */
  readonly resolve?: Resolver;
}

/**
 * The HTTP client (spec 4): Bun's fetch, with our own guard around it. The host's addresses are
 * looked up here, all of them checked, and the connection goes to a checked one, so a name that
 * resolves differently a moment later changes nothing. Nothing in the environment weakens it:
 * neither proxies nor NODE_TLS_REJECT_UNAUTHORIZED are heeded. It keeps no cookies and sends no
 * credentials.
 *
 * @returns a {@link HttpClient}; it throws HttpFailure alone, whose message names the host, each
 *   address tried and how that ended
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return (request, deadline) =>
    deadline.track(`${request.purpose} ${hostOf(request.url)}`, () => withClock(request, deadline, options));
}

/** What the hops of one exchange share. */
interface Exchange {
  readonly request: HttpRequest;
  readonly options: HttpClientOptions;
  /** Aborts when the time of the whole exchange is over. */
  readonly signal: AbortSignal;
  /** performance.now() at that moment. */
  readonly endsAt: number;
}

/** One signal ends whatever the exchange is at: look-up, connection, headers or a body that trickles. */
async function withClock(request: HttpRequest, deadline: Deadline, options: HttpClientOptions): Promise<HttpResponse> {
  const time = Math.min(request.timeout, deadline.remaining());
  const clock = new AbortController();
  const ending = setTimeout(() => clock.abort(), time);
  try {
    if (time <= 0) clock.abort();
    return await followed({ request, options, signal: clock.signal, endsAt: performance.now() + time });
  } catch (error) {
    const kind = clock.signal.aborted && !(error instanceof HttpFailure) ? "timeout" : failureKind(error);
    const said =
      error instanceof HttpFailure ? error.message : kind === "timeout" ? "no answer in time" : errorCode(error);
    const after = kind === "timeout" ? ` (after ${(time / 1000).toFixed(1)} s)` : "";
    throw new HttpFailure(kind, `${request.purpose} ${hostOf(request.url)}: ${said}${after}`, { cause: error });
  } finally {
    clearTimeout(ending);
  }
}

async function followed(exchange: Exchange): Promise<HttpResponse> {
  const { request, signal } = exchange;
  let url = parseUrl(request.url);
  let mayBePrivate = request.originMayBePrivate;
  for (let hops = 0; ; hops++) {
    const response = await ask(url, mayBePrivate, exchange);
    if (response.status < 200 || response.status > 599) {
      throw new HttpFailure("bad_response", `answers with status ${response.status}`);
    }
    if (response.status < 300 || response.status > 399) {
      const headers = boundedHeaders(response.headers);
      const body = await readBody(response, request.maxBytes, signal);
      signal.throwIfAborted();
      return { status: response.status, url: url.href, headers, body };
    }

    void response.body?.cancel().catch(() => {});
    const next = redirectTarget(response, url);
    if (hops >= request.maxRedirects) {
      const allowed = request.maxRedirects === 0 ? "no redirect is followed here" : `${hops} redirects were followed`;
      throw new HttpFailure("bad_response", `redirects to ${next.href}, but ${allowed}`);
    }
    mayBePrivate &&= hostAndPort(next) === hostAndPort(url);
    url = next;
  }
}

/** One request to one host, at the first of its checked addresses that answers. */
async function ask(url: URL, mayBePrivate: boolean, exchange: Exchange): Promise<Response> {
  const { request, options, signal, endsAt } = exchange;
  signal.throwIfAborted();
  checkTarget(url, options.allow);
  const isLiteral = isIpLiteral(url);
  const found = isLiteral ? [url.hostname.replace(/^\[|\]$/g, "")] : await lookUp(url.hostname, exchange);

  const refusals = found.map((address) => refusedAddress(address, url, options.allow, mayBePrivate));
  const checked = found.filter((_, i) => refusals[i] === undefined);
  const refused = refusals.filter((refusal) => refusal !== undefined).slice(0, MAX_ADDRESSES);
  if (checked.length === 0) throw new HttpFailure("forbidden_address", refused.join("; "));

  const headers = {
    Host: url.host,
    Accept: request.accept,
    "Accept-Encoding": "identity",
    "User-Agent": `atcr-verify/${options.version}`,
  };
  const serverName = isLiteral ? undefined : url.hostname;
  const outcome = await firstAnswer(
    interleaveFamilies(checked).slice(0, MAX_ADDRESSES),
    (address, attempt) => fetchAt(address, url, serverName, headers, attempt),
    endsAt - performance.now(),
    signal,
  );
  if ("answer" in outcome) return outcome.answer;
  const kinds = outcome.failed.map((attempt) => ("error" in attempt ? failureKind(attempt.error) : "timeout"));
  throw new HttpFailure(mostTelling(kinds), [...outcome.failed.map(describeAttempt), ...refused].join("; "));
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

function describeAttempt({ address, ...attempt }: FailedAttempt): string {
  return `${address}: ${"error" in attempt ? errorCode(attempt.error) : "no answer"}`;
}

function redirectTarget(response: Response, from: URL): URL {
  const location = response.headers.get("location");
  if (!REDIRECTS.has(response.status) || location === null) {
    throw new HttpFailure(
      "bad_response",
      `answers with status ${response.status} and Location ${location ?? "absent"}`,
    );
  }
  const target = URL.parse(location, from.href);
  if (target === null)
    throw new HttpFailure("bad_response", `redirects to ${JSON.stringify(location)}, which is no URL`);
  return target;
}

function boundedHeaders(received: Headers): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  let size = 0;
  for (const [name, value] of received) {
    size += name.length + value.length;
    headers.set(name, value);
  }
  if (size > MAX_HEADERS)
    throw new HttpFailure("bad_response", `sends ${size} characters of headers, more than ${MAX_HEADERS}`);
  return headers;
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new HttpFailure("forbidden_address", `${JSON.stringify(text)} is no URL`);
  return url;
}

function hostOf(text: string): string {
  return URL.parse(text)?.host || JSON.stringify(text);
}

/** Whether the host is an address: the URL parser has brought every notation of one to these forms. */
function isIpLiteral(url: URL): boolean {
  return url.hostname.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(url.hostname);
}

/** Bun's additions to the fetch of the standard. */
interface BunFetchInit extends RequestInit {
  decompress: boolean;
  proxy: false;
  verbose: false;
  tls: { rejectUnauthorized: true; serverName?: string };
}

function fetchAt(
  address: string,
  url: URL,
  serverName: string | undefined,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  const host = address.includes(":") ? `[${address}]` : address;
  const port = url.port === "" ? "" : `:${url.port}`;
  const init: BunFetchInit = {
    headers,
    signal,
    redirect: "manual",
    // A compressed body is inflated by body.ts, under the cap.
    decompress: false,
    // Only `false` makes Bun ignore HTTPS_PROXY and its kin; a proxy would undo the pinning.
    proxy: false,
    // Else BUN_CONFIG_VERBOSE_FETCH writes to the standard output, which belongs to the verdict.
    verbose: false,
    // Bun keeps connections apart by server name and TLS options. Without TLS nothing keeps two
    // names at one address apart, so there a connection serves one request.
    keepalive: url.protocol === "https:",
    // Stated, so that NODE_TLS_REJECT_UNAUTHORIZED does not matter. An address is no server name
    // (RFC 6066, section 3): without one Bun checks the address itself against the certificate.
    tls: { rejectUnauthorized: true, ...(serverName !== undefined && { serverName }) },
  };
  return fetch(`${url.protocol}//${host}${port}${url.pathname}${url.search}`, init);
}

interface BunDns {
  lookup(host: string, options: { backend: "c-ares" }): Promise<readonly { address: string }[]>;
}

/**
 * The resolver of the binary: c-ares over /etc/hosts and /etc/resolv.conf, as Bun has it built in.
 *
 * Not node:dns, whose `lookup` asks libc on Bun's pool of as many threads as there are processors:
 * two names whose servers never answer then hold up every other look-up and every file access of
 * the process for seconds, and anybody who runs a PDS can have such names. c-ares needs no thread.
 * The price: sources of names that only nsswitch.conf knows are not asked.
 */
const resolveByBun: Resolver = async (host) => {
  const { dns } = (globalThis as unknown as { Bun: { dns: BunDns } }).Bun;
  const found = await dns.lookup(host, { backend: "c-ares" });
  return found.map(({ address }) => address);
};
