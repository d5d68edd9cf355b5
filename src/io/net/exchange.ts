import type { Deadline } from "../process/deadline.ts";

/**
 * The rest of the program uses the network through this one function. `io/net/http.ts` is the only real
 * implementation; tests implement it over loopback or in memory.
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
  /** Most redirects to follow; 0 except for registries, their token servers and the hosts of handles (spec 4). */
  readonly maxRedirects: number;
  /** Only redirects to the same scheme, host and port are followed, and everything is sent again there. */
  readonly staysAtOrigin?: true;
  /**
   * True only for the registry that the image names: containerd has contacted it already, so it may be at a private
   * address without being listed. A redirect to another host loses this.
   */
  readonly originMayBePrivate: boolean;
  /**
   * Further header fields, including credentials, for this host only: no redirect carries them (CVE-2025-27403),
   * unless the request stays at its origin.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Sent by POST as application/x-www-form-urlencoded; then only redirects with 307 or 308 at the same origin are
   * followed. Absent: GET.
   */
  readonly form?: Readonly<Record<string, string>>;
  /** Asks only for the headers: the answer has no body. Absent: GET. */
  readonly method?: "HEAD";
  /** Content to be stored at the URL; no redirect is followed then. Only `attach` stores anything; dry runs of `doctor --cluster` are sent so too. */
  readonly upload?: Upload;
  /** TLS settings for the URL's host; not used for redirects to other hosts. */
  readonly tls?: HostTls;
  /** Most milliseconds to connect to the URL's host; absent: only the exchange's own limit. */
  readonly dialTimeout?: number;
  /** What no message may repeat, besides the headers: secrets in a form, and those of earlier requests. */
  readonly secrets?: readonly Sent[];
  /** The URL came from a peer, so its host is untrusted text. */
  readonly isNamedByPeer?: true;
  /** Kind of service, for messages: `registry`, `PDS`, … */
  readonly purpose: string;
}

/** What a request stores or removes at its own host. */
export interface Upload {
  readonly method: "POST" | "PUT" | "DELETE";
  /** May be empty. */
  readonly bytes: Uint8Array;
  /** Value of Content-Type. */
  readonly type: string;
  /** Only if the host still has this version: an ETag as it sent it, or `none` where there must be nothing yet. */
  readonly replaces?: string;
}

/** The parts of a request that may be secret. */
export type Sent = Pick<HttpRequest, "headers" | "form">;

/** A certificate file and its content. */
export interface PemFile {
  /** For messages. */
  readonly path: string;
  readonly text: string;
}

/** One host's TLS settings in hosts.toml. */
export interface HostTls {
  /** Additional certificate authorities for this host; the same array at each request. */
  readonly ca?: readonly PemFile[];
  /** Client certificate and key, as PEM texts. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** Do not verify the host's certificate: only for hosts in `network.skipVerify`. */
  readonly skipVerify?: true;
}

export interface HttpResponse {
  readonly status: number;
  /** URL of the answer, after redirects. */
  readonly url: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export type HttpFailureKind =
  | "unreachable" // no connection, reset, name does not resolve
  | "timeout" // this exchange's timeout or the deadline passed
  | "forbidden_address" // scheme, host or address that must not be contacted
  | "tls" // the peer's certificate could not be verified
  | "bad_response"; // truncated, too large, redirected where none is allowed, undecodable

interface HttpFailureOptions extends ErrorOptions {
  readonly isRedirected?: boolean;
  readonly noTlsAt?: string | undefined;
}

/** The only error that a {@link HttpClient} throws. An answer with any status, even 500, is not a failure. */
export class HttpFailure extends Error {
  readonly kind: HttpFailureKind;
  /** Whether it failed after a redirect by the requested host. */
  readonly isRedirected: boolean;
  /** The requested origin, if it is known not to speak TLS. */
  readonly noTlsAt: string | undefined;

  constructor(kind: HttpFailureKind, message: string, options?: HttpFailureOptions) {
    super(message, options);
    this.name = "HttpFailure";
    this.kind = kind;
    this.isRedirected = options?.isRedirected === true;
    this.noTlsAt = options?.noTlsAt;
  }
}
