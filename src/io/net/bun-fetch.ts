import { HttpFailure } from "./exchange.ts";
import { lookUpInHostsFile } from "./hosts-file.ts";
import type { Resolver } from "./resolve.ts";

/** Bun's additions to the standard fetch. */
interface BunFetchInit extends RequestInit {
  decompress: boolean;
  proxy: false | string;
  verbose: false;
  tls: {
    rejectUnauthorized: boolean;
    serverName?: string;
    ca?: readonly string[];
    allowPartialTrustChain?: true;
    cert?: string;
    key?: string;
    ciphers?: string;
    maxVersion?: number;
  };
}

/** A request to one checked address. */
export interface CheckedRequest {
  readonly url: URL;
  /** The checked address that replaces the URL's host; absent where a proxy resolves the host. */
  readonly address?: string;
  /** URL of the proxy, its host a checked address. */
  readonly proxy?: string;
  readonly headers: Headers;
  /** Absent: GET. */
  readonly method?: "HEAD" | "POST" | "PUT" | "DELETE";
  readonly body?: string | Uint8Array;
  /** The name that the certificate must have; absent where the URL's host is an address. */
  readonly serverName?: string;
  /** The trusted certificate authorities, one PEM text each; empty only where nothing is verified. */
  readonly authorities: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
  readonly skipVerify: boolean;
  /** Use the old key exchange that needs no signature by the host; it has no forward secrecy. */
  readonly byKeyTransport?: true;
  readonly signal: AbortSignal;
}

/** TLS 1.2 with RSA key transport (RFC 5246, 7.4.7.1). */
const KEY_TRANSPORT = { maxVersion: 0x0303, ciphers: "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA" };

const NO_AUTHORITY =
  "there is no readable certificate authority, so no host can be verified; install ca-certificates, or list a file in network.caFiles";

/** The only place in this program that sends requests: Bun's own fetch, every option set explicitly. */
export async function fetchChecked(request: CheckedRequest): Promise<Response> {
  const { url, address, proxy, headers, method, body, serverName, authorities, client, skipVerify, signal } = request;
  const host = address === undefined ? url.hostname : address.includes(":") ? `[${address}]` : address;
  const port = url.port === "" ? "" : `:${url.port}`;
  const isVerified = url.protocol === "https:" && !skipVerify;
  // Without a list, Bun uses its built-in authorities.
  if (isVerified && authorities.length === 0) throw new HttpFailure("tls", NO_AUTHORITY);
  const init: BunFetchInit = {
    ...(method !== undefined && { method }),
    ...(body !== undefined && { body }),
    headers,
    signal,
    redirect: "manual",
    // A compressed body is inflated by body.ts, under the cap.
    decompress: false,
    // Only `false` makes Bun ignore HTTPS_PROXY and similar variables; proxy.ts decides about proxies. NO_PROXY, which
    // would make Bun bypass the proxy given here, is removed from its environment (environment.ts).
    proxy: proxy ?? false,
    // Otherwise BUN_CONFIG_VERBOSE_FETCH writes to standard output, which is reserved for the verdict.
    verbose: false,
    // Bun pools connections by all their TLS settings, including server name and authorities. Without TLS nothing
    // separates two names at one address, so a connection serves one request; likewise where it is unverified, uses a
    // client certificate or goes through a proxy.
    keepalive: isVerified && client === undefined && proxy === undefined,
    // Set explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED has no effect. An address is not a server name (RFC 6066,
    // section 3): without one, Bun checks the address itself against the certificate.
    tls: {
      rejectUnauthorized: !skipVerify,
      ...(serverName !== undefined && { serverName }),
      // A listed certificate is trusted even if its issuer is not listed, as in Go.
      ...(authorities.length > 0 && { ca: authorities, allowPartialTrustChain: true }),
      ...client,
      ...(request.byKeyTransport && KEY_TRANSPORT),
    },
  };
  return fetch(`${url.protocol}//${host}${port}${url.pathname}${url.search}`, init);
}

const SERVER_FAILED = "DNS_ESERVFAIL";

interface BunDns {
  lookup(host: string, options: { backend: "c-ares" }): Promise<readonly { address: string }[]>;
}

/**
 * The resolver of the binary: /etc/hosts by hosts-file.ts, else DNS by Bun's built-in c-ares with /etc/resolv.conf.
 *
 * Not node:dns, whose `lookup` calls libc on a pool with one thread per processor: two names whose servers never answer
 * would block all other lookups and file accesses of the process for seconds, and any PDS operator can create such
 * names. c-ares needs no thread. The price: name sources that only nsswitch.conf configures are not used.
 */
export const resolveByBun: Resolver = async (host) => {
  const listed = lookUpInHostsFile(host);
  if (listed.length > 0) return listed;
  const { dns } = (globalThis as unknown as { Bun: { dns: BunDns } }).Bun;
  const ask = (name: string) => dns.lookup(name, { backend: "c-ares" });
  // c-ares gives up at a search domain whose server fails; glibc and Go then try the name as it is.
  const found = await ask(host).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== SERVER_FAILED) throw error;
    return ask(`${host}.`);
  });
  return found.map(({ address }) => address);
};
