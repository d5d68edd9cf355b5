import type { Deadline } from "../process/deadline.ts";
import { hostAndPort } from "./address-guard.ts";
import { readBody } from "./body.ts";
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse, type Sent } from "./exchange.ts";
import { errorCode, failureKind } from "./failure.ts";
import { askHop, type Exchange, type HttpClientOptions } from "./hop.ts";
import { sentToProxies } from "./proxy.ts";
import { nameHost } from "./quote-peer.ts";

/**
 * Characters of all header names and values together. Bun itself reads up to about 250 fields and 1.5 MB; this lower
 * limit avoids parsing a megabyte of Link.
 */
const MAX_HEADERS = 64 * 1024;

/** A HEAD's Content-Length is that of the body which a GET would bring (RFC 9110 9.3.2). */
const NO_BODY = new Uint8Array(0);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Redirects that keep method and body (RFC 9110 15.4). */
const SENDS_AGAIN: ReadonlySet<number> = new Set([307, 308]);

/**
 * The HTTP client (spec 4): Bun's fetch behind our own address guard. The host's addresses are resolved here and
 * checked, and the connection goes to a checked one, so a name that resolves differently a moment later (DNS rebinding)
 * has no effect. NODE_TLS_REJECT_UNAUTHORIZED has no effect either. There are no cookies, and credentials are sent only
 * to the request's own host.
 *
 * @returns an {@link HttpClient}; it throws only HttpFailure, whose message names the host, each address tried and its
 *   error
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return (request, deadline) =>
    deadline.track(`${request.purpose} ${hostOf(request, options)}`, () => withClock(request, deadline, options));
}

/** All that a peer may repeat: what was sent to it, and to the proxy, which may answer plain http itself. */
function sentBy(request: HttpRequest, { proxies }: Pick<HttpClientOptions, "proxies">): readonly Sent[] {
  return [{ headers: request.headers ?? {} }, ...(request.secrets ?? []), ...sentToProxies(proxies)];
}

/** One signal stops the exchange at any stage: lookup, connection, headers or body. */
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
      // After a redirect it is another host, or one that has spoken TLS already.
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
      throw new HttpFailure("bad_response", `answered with status ${response.status}`);
    }
    if (response.status < 300 || response.status > 399) {
      const headers = boundedHeaders(response.headers);
      const body = request.method === "HEAD" ? NO_BODY : await readBody(response, request.maxBytes, signal);
      signal.throwIfAborted();
      return { status: response.status, url: url.href, headers, body };
    }

    redirected();
    void response.body?.cancel().catch(() => {});
    const next = redirectTarget(response, url);
    const allowed = redirectsAllowed(request, response.status);
    if (hops >= allowed) {
      const why = allowed === 0 ? "no redirect is followed here" : `${hops} redirects were followed already`;
      throw new HttpFailure("bad_response", `redirected to ${nameHost(next, sent)}, but ${why}`);
    }
    if (request.staysAtOrigin && next.origin !== url.origin) {
      const why = "no redirect to another origin is followed here";
      throw new HttpFailure("bad_response", `redirected to ${next.protocol}//${nameHost(next, sent)}, but ${why}`);
    }
    mayBePrivate &&= hostAndPort(next) === hostAndPort(url);
    url = next;
  }
}

/**
 * A POST is repeated only at the same origin, and only if the status asks for that. What is to be stored is never sent to
 * where a redirect points.
 */
function redirectsAllowed({ form, upload, staysAtOrigin, maxRedirects }: HttpRequest, status: number): number {
  if (upload !== undefined) return 0;
  const sendsAgain = staysAtOrigin === true && SENDS_AGAIN.has(status);
  return form === undefined || sendsAgain ? maxRedirects : 0;
}

function redirectTarget(response: Response, from: URL): URL {
  const location = response.headers.get("location");
  if (!REDIRECTS.has(response.status) || location === null) {
    const what = location === null ? "without a Location" : "which is not a redirect that is followed";
    throw new HttpFailure("bad_response", `answered with status ${response.status}, ${what}`);
  }
  const target = URL.parse(location, from.href);
  if (target === null) throw new HttpFailure("bad_response", "redirected to an invalid URL");
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
    throw new HttpFailure("bad_response", `sent ${size} characters of headers, more than the limit of ${MAX_HEADERS}`);
  return headers;
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new HttpFailure("forbidden_address", `${JSON.stringify(text)} is not a URL`);
  return url;
}

/** The host, for messages. */
function hostOf(request: HttpRequest, options: HttpClientOptions): string {
  const url = URL.parse(request.url);
  if (url === null || url.host === "") return JSON.stringify(request.url);
  return request.isNamedByPeer ? nameHost(url, sentBy(request, options)) : url.host;
}
