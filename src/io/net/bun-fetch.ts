import { HttpFailure } from "./exchange.ts";
import { lookUpInHostsFile } from "./hosts-file.ts";
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
    allowPartialTrustChain?: true;
    cert?: string;
    key?: string;
    ciphers?: string;
    maxVersion?: number;
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
  /** The certificate authorities that count, one PEM text each; none is given only where nothing is verified. */
  readonly authorities: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
  readonly skipVerify: boolean;
  /** By the old key exchange that needs no signature of the host; without forward secrecy. */
  readonly byKeyTransport?: true;
  readonly signal: AbortSignal;
}

/** TLS 1.2 with RSA key transport (RFC 5246, 7.4.7.1). */
const KEY_TRANSPORT = { maxVersion: 0x0303, ciphers: "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA" };

const NO_AUTHORITY =
  "no certificate authority can be read, so no host can prove its name; install ca-certificates, or name a file in network.caFiles";

/** The only call of a network client in this program: Bun's own fetch, every property stated. */
export async function fetchChecked(request: CheckedRequest): Promise<Response> {
  const { url, address, proxy, headers, body, serverName, authorities, client, skipVerify, signal } = request;
  const host = address === undefined ? url.hostname : address.includes(":") ? `[${address}]` : address;
  const port = url.port === "" ? "" : `:${url.port}`;
  const isVerified = url.protocol === "https:" && !skipVerify;
  // Without a list Bun takes the authorities that it has built in.
  if (isVerified && authorities.length === 0) throw new HttpFailure("tls", NO_AUTHORITY);
  const init: BunFetchInit = {
    ...(body !== undefined && { method: "POST", body }),
    headers,
    signal,
    redirect: "manual",
    // A compressed body is inflated by body.ts, under the cap.
    decompress: false,
    // Only `false` makes Bun ignore HTTPS_PROXY and its kin; whether there is a proxy is said by proxy.ts. NO_PROXY, by
    // which it would go past a proxy that it is given, has been taken out of its sight (environment.ts).
    proxy: proxy ?? false,
    // Else BUN_CONFIG_VERBOSE_FETCH writes to the standard output, which belongs to the verdict.
    verbose: false,
    // Bun keeps connections apart by everything that is said of their TLS, server name and authorities included.
    // Without TLS nothing keeps two names at one address apart, so there a connection serves one request; and so it
    // does where it is not verified, shows a certificate of ours or goes through a proxy.
    keepalive: isVerified && client === undefined && proxy === undefined,
    // Stated, so that NODE_TLS_REJECT_UNAUTHORIZED does not matter. An address is no server name
    // (RFC 6066, section 3): without one Bun checks the address itself against the certificate.
    tls: {
      rejectUnauthorized: !skipVerify,
      ...(serverName !== undefined && { serverName }),
      // A listed certificate is trusted though who issued it is not listed, as Go has it.
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
 * The resolver of the binary: /etc/hosts by hosts-file.ts, else DNS by c-ares over /etc/resolv.conf, as Bun has it
 * built in.
 *
 * Not node:dns, whose `lookup` asks libc on Bun's pool of as many threads as there are processors:
 * two names whose servers never answer then hold up every other look-up and every file access of
 * the process for seconds, and anybody who runs a PDS can have such names. c-ares needs no thread.
 * The price: sources of names that only nsswitch.conf knows are not asked.
 */
export const resolveByBun: Resolver = async (host) => {
  const listed = lookUpInHostsFile(host);
  if (listed.length > 0) return listed;
  const { dns } = (globalThis as unknown as { Bun: { dns: BunDns } }).Bun;
  const ask = (name: string) => dns.lookup(name, { backend: "c-ares" });
  // c-ares ends at a search domain whose server fails; glibc and Go go on to the name as it is.
  const found = await ask(host).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== SERVER_FAILED) throw error;
    return ask(`${host}.`);
  });
  return found.map(({ address }) => address);
};
