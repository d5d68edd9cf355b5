import type { Deadline } from "../process/deadline.ts";
import { hostAndPort } from "./address-guard.ts";
import { readBody } from "./body.ts";
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse, type Sent } from "./exchange.ts";
import { errorCode, failureKind } from "./failure.ts";
import { askHop, type Exchange, type HttpClientOptions } from "./hop.ts";
import { sentToProxies } from "./proxy.ts";
import { nameHost } from "./quote-peer.ts";

/**
 * Names and values of all header fields together, in characters. Bun itself reads at most about
 * 250 fields and 1.5 MB; what goes on from here is far less, so that nobody has to parse a
 * megabyte of Link.
 */
const MAX_HEADERS = 64 * 1024;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Those that want the same method and body (RFC 9110 15.4). */
const SENDS_AGAIN: ReadonlySet<number> = new Set([307, 308]);

/**
 * The HTTP client (spec 4): Bun's fetch, with our own guard around it. The host's addresses are
 * looked up here, all of them checked, and the connection goes to a checked one, so a name that
 * resolves differently a moment later changes nothing. NODE_TLS_REJECT_UNAUTHORIZED weakens nothing.
 * It keeps no cookies, and what a request says of credentials goes to its own host alone.
 *
 * @returns a {@link HttpClient}; it throws HttpFailure alone, whose message names the host, each
 *   address tried and how that ended
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return (request, deadline) =>
    deadline.track(`${request.purpose} ${hostOf(request, options)}`, () => withClock(request, deadline, options));
}

/** What whoever answers may repeat: all that was sent, to a proxy too, which answers itself where http is plain. */
function sentBy(request: HttpRequest, { proxies }: Pick<HttpClientOptions, "proxies">): readonly Sent[] {
  return [{ headers: request.headers ?? {} }, ...(request.secrets ?? []), ...sentToProxies(proxies)];
}

/** One signal ends whatever the exchange is at: look-up, connection, headers or a body that trickles. */
async function withClock(request: HttpRequest, deadline: Deadline, options: HttpClientOptions): Promise<HttpResponse> {
  const time = Math.min(request.timeout, deadline.remaining());
  const clock = new AbortController();
  const ending = setTimeout(() => clock.abort(), time);
  let isRedirected = false;
  const redirected = (): void => {
    isRedirected = true;
  };
  try {
    if (time <= 0) clock.abort();
    const sent = sentBy(request, options);
    return await followed(
      { request, options, sent, signal: clock.signal, endsAt: performance.now() + time },
      redirected,
    );
  } catch (error) {
    const kind = clock.signal.aborted && !(error instanceof HttpFailure) ? "timeout" : failureKind(error);
    const said =
      error instanceof HttpFailure ? error.message : kind === "timeout" ? "no answer in time" : errorCode(error);
    const after = kind === "timeout" ? ` (after ${(time / 1000).toFixed(1)} s)` : "";
    throw new HttpFailure(kind, `${request.purpose} ${hostOf(request, options)}: ${said}${after}`, {
      cause: error,
      isRedirected,
      // Behind a redirect it is another host, or one that has spoken TLS before.
      ...(error instanceof HttpFailure && !isRedirected && { noTlsAt: error.noTlsAt }),
    });
  } finally {
    clearTimeout(ending);
  }
}

/** @param redirected called at each redirect, before it is followed */
async function followed(exchange: Exchange, redirected: () => void): Promise<HttpResponse> {
  const { request, signal, sent } = exchange;
  const own = parseUrl(request.url);
  let url = own;
  let mayBePrivate = request.originMayBePrivate;
  for (let hops = 0; ; hops++) {
    const isOwnHost = url.protocol === own.protocol && hostAndPort(url) === hostAndPort(own);
    const isFirst = hops === 0 || request.staysAtOrigin === true;
    const isNamedByPeer = hops > 0 || request.isNamedByPeer === true;
    const response = await askHop({ url, mayBePrivate, isOwnHost, isFirst, isNamedByPeer }, exchange);
    if (response.status < 200 || response.status > 599) {
      throw new HttpFailure("bad_response", `answers with status ${response.status}`);
    }
    if (response.status < 300 || response.status > 399) {
      const headers = boundedHeaders(response.headers);
      const body = await readBody(response, request.maxBytes, signal);
      signal.throwIfAborted();
      return { status: response.status, url: url.href, headers, body };
    }

    redirected();
    void response.body?.cancel().catch(() => {});
    const next = redirectTarget(response, url);
    const allowed = redirectsAllowed(request, response.status);
    if (hops >= allowed) {
      const why = allowed === 0 ? "no redirect is followed here" : `${hops} redirects were followed`;
      throw new HttpFailure("bad_response", `redirects to ${nameHost(next, sent)}, but ${why}`);
    }
    if (request.staysAtOrigin && next.origin !== url.origin) {
      const why = "no redirect to elsewhere is followed here";
      throw new HttpFailure("bad_response", `redirects to ${next.protocol}//${nameHost(next, sent)}, but ${why}`);
    }
    mayBePrivate &&= hostAndPort(next) === hostAndPort(url);
    url = next;
  }
}

/** What is sent by POST is for the host that it is sent to, and is sent again only where that host asks for it. */
function redirectsAllowed({ form, staysAtOrigin, maxRedirects }: HttpRequest, status: number): number {
  const sendsAgain = staysAtOrigin === true && SENDS_AGAIN.has(status);
  return form === undefined || sendsAgain ? maxRedirects : 0;
}

function redirectTarget(response: Response, from: URL): URL {
  const location = response.headers.get("location");
  if (!REDIRECTS.has(response.status) || location === null) {
    const what = location === null ? "no Location" : "a Location that means nothing there";
    throw new HttpFailure("bad_response", `answers with status ${response.status} and ${what}`);
  }
  const target = URL.parse(location, from.href);
  if (target === null) throw new HttpFailure("bad_response", "redirects to what is no URL");
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

/** Who is asked, for messages. */
function hostOf(request: HttpRequest, options: HttpClientOptions): string {
  const url = URL.parse(request.url);
  if (url === null || url.host === "") return JSON.stringify(request.url);
  return request.isNamedByPeer ? nameHost(url, sentBy(request, options)) : url.host;
}
