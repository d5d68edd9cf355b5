import type { Deadline } from "../process/deadline.ts";

/**
 * The whole network, as the rest of the program sees it: one function from a request to a response.
 * `io/net/http.ts` is the only file that implements it for real; tests implement it over loopback or
 * in memory.
 */
export type HttpClient = (request: HttpRequest, deadline: Deadline) => Promise<HttpResponse>;

export interface HttpRequest {
  /** Absolute URL, `https:`; `http:` only for a host the administrator lists. */
  readonly url: string;
  /** Value of the Accept header. */
  readonly accept: string;
  /** Cap on the body in bytes, before and after decompression (spec 4). */
  readonly maxBytes: number;
  /** Most milliseconds for this exchange, redirects included; cut to what is left of the deadline. */
  readonly timeout: number;
  /** Redirects to follow at most; 0 for everything but registries, their token servers and the hosts of handles (spec 4). */
  readonly maxRedirects: number;
  /** Only redirects to the same scheme, host and port are followed; all that is sent goes along. */
  readonly staysAtOrigin?: true;
  /**
   * True only for the registry that the image names: containerd talked to it already, so it may be
   * at a private address without being listed. A redirect away from its host loses this.
   */
  readonly originMayBePrivate: boolean;
  /**
   * Further header fields, credentials among them, for this host alone: a redirect carries none of them,
   * wherever it leads (CVE-2025-27403), unless the request stays at its origin.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Sent by POST as application/x-www-form-urlencoded; then no redirect is followed but one at the same origin that
   * wants the same sent there (307, 308). Absent: GET.
   */
  readonly form?: Readonly<Record<string, string>>;
  /** How the URL's host and we prove ourselves to each other; not for where it redirects to. */
  readonly tls?: HostTls;
  /** Most milliseconds until its own host takes a connection; absent: no limit but the exchange's. */
  readonly dialTimeout?: number;
  /** What beside the headers no message may repeat: the secret of a form, and what was sent in requests before. */
  readonly secrets?: readonly Sent[];
  /** A peer named the URL, so that its host is no text of ours. */
  readonly isNamedByPeer?: true;
  /** What this exchange is, for messages and for naming what was waited for: `registry`, `PDS`, … */
  readonly purpose: string;
}

/** What may be secret of a request. */
export type Sent = Pick<HttpRequest, "headers" | "form">;

/** A file of certificates, read. */
export interface PemFile {
  /** For messages. */
  readonly path: string;
  readonly text: string;
}

/** What hosts.toml says of one host's TLS. */
export interface HostTls {
  /** Certificate authorities that count for this host beside all others; the same array at each request. */
  readonly ca?: readonly PemFile[];
  /** Our certificate and its key, as PEM texts. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** The host need not prove its name: only where the administrator lists it (`network.skipVerify`). */
  readonly skipVerify?: true;
}

export interface HttpResponse {
  readonly status: number;
  /** URL of the answer after redirects; equal to the request's when there were none. */
  readonly url: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export type HttpFailureKind =
  | "unreachable" // no connection, reset, name does not resolve
  | "timeout" // this exchange's time or the deadline was over
  | "forbidden_address" // scheme, host or address that must not be contacted
  | "tls" // the peer did not prove its name
  | "bad_response"; // truncated, too large, redirected where none is allowed, undecodable

interface HttpFailureOptions extends ErrorOptions {
  readonly isRedirected?: boolean;
  readonly noTlsAt?: string | undefined;
}

/** Thrown by a {@link HttpClient}; nothing else is. An answered status, also 500, is no failure. */
export class HttpFailure extends Error {
  readonly kind: HttpFailureKind;
  /** Whether the host that was asked answered with a redirect, and it failed behind that. */
  readonly isRedirected: boolean;
  /** The origin that was asked, where it answers something else than TLS; absent where that is not known. */
  readonly noTlsAt: string | undefined;

  constructor(kind: HttpFailureKind, message: string, options?: HttpFailureOptions) {
    super(message, options);
    this.name = "HttpFailure";
    this.kind = kind;
    this.isRedirected = options?.isRedirected === true;
    this.noTlsAt = options?.noTlsAt;
  }
}
