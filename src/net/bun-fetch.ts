import type { Resolver } from "./resolve.ts";

/** Bun's additions to the fetch of the standard. */
interface BunFetchInit extends RequestInit {
  decompress: boolean;
  proxy: false | string;
  verbose: false;
  tls: {
    rejectUnauthorized: boolean;
    serverName?: string;
    ca?: readonly string[];
    cert?: string;
    key?: string;
  };
}

/** One request at one address that has been checked. */
export interface CheckedRequest {
  readonly url: URL;
  /** The checked address that stands in for the URL's host; absent where a proxy looks the host up. */
  readonly address?: string;
  /** URL of the proxy, its host a checked address. */
  readonly proxy?: string;
  readonly headers: Headers;
  /** Sent by POST. */
  readonly body?: string;
  /** The name that the certificate must have; absent where the URL's host is an address. */
  readonly serverName?: string;
  /** The certificate authorities that count; absent: the system's. */
  readonly ca?: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
  readonly skipVerify: boolean;
  readonly signal: AbortSignal;
}

/** Variables by which Bun would go past a proxy that it is told to use, to a host that it looks up itself. */
const BYPASSES = ["NO_PROXY", "no_proxy"];

/** The only call of a network client in this program: Bun's own fetch, every property stated. */
export function fetchChecked(request: CheckedRequest): Promise<Response> {
  const { url, address, proxy, headers, body, serverName, ca, client, skipVerify, signal } = request;
  const host = address === undefined ? url.hostname : address.includes(":") ? `[${address}]` : address;
  const port = url.port === "" ? "" : `:${url.port}`;
  const isPlainCase = ca === undefined && client === undefined && !skipVerify && proxy === undefined;
  if (proxy !== undefined) for (const name of BYPASSES) delete process.env[name];
  const init: BunFetchInit = {
    ...(body !== undefined && { method: "POST", body }),
    headers,
    signal,
    redirect: "manual",
    // A compressed body is inflated by body.ts, under the cap.
    decompress: false,
    // Only `false` makes Bun ignore HTTPS_PROXY and its kin; whether there is a proxy is said by proxy.ts.
    proxy: proxy ?? false,
    // Else BUN_CONFIG_VERBOSE_FETCH writes to the standard output, which belongs to the verdict.
    verbose: false,
    // Bun keeps connections apart by server name. Without TLS nothing keeps two names at one address apart, so
    // there a connection serves one request; and so it does where anything about its TLS is special.
    keepalive: url.protocol === "https:" && isPlainCase,
    // Stated, so that NODE_TLS_REJECT_UNAUTHORIZED does not matter. An address is no server name
    // (RFC 6066, section 3): without one Bun checks the address itself against the certificate.
    tls: {
      rejectUnauthorized: !skipVerify,
      ...(serverName !== undefined && { serverName }),
      ...(ca !== undefined && { ca }),
      ...client,
    },
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
export const resolveByBun: Resolver = async (host) => {
  const { dns } = (globalThis as unknown as { Bun: { dns: BunDns } }).Bun;
  const found = await dns.lookup(host, { backend: "c-ares" });
  return found.map(({ address }) => address);
};
