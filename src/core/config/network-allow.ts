import { type Cidr, parseCanonicalIp, parseCidr } from "../encoding/ip-address.ts";
import { type HostPort, parseHostPort } from "../oci/host.ts";

/**
 * The entries of network.allow (spec 4). Nothing is allowed by default.
 *
 * Hosts are as in URLs: lower case, IPv6 addresses in brackets.
 */
export interface NetworkAllow {
  /** Ranges of private addresses that may be contacted; a single address is a range of one. */
  readonly cidrs: readonly Cidr[];
  /** `host` or `host:port` that may have a private address. Without a port, all ports of the host. */
  readonly hosts: readonly string[];
  /** `host:port`, always with the port (even 80), contacted by plain http. All are in `hosts` too. */
  readonly plainHttp: readonly string[];
}

export const NOTHING_ALLOWED: NetworkAllow = { cidrs: [], hosts: [], plainHttp: [] };

/** A parsed entry, or what was expected instead, for a message. */
export type NetworkEntry =
  | { readonly kind: "cidr"; readonly cidr: Cidr }
  | { readonly kind: "host" | "plainHttp"; readonly host: string }
  | { readonly kind: "wrong"; readonly expected: string };

const HTTP = "http://";
const HTTP_PORT = 80;

/**
 * Reads one entry of network.allow:
 *
 *   10.1.0.0/16, fd00::/8      every address of the range
 *   10.1.2.3, ::1              that address
 *   registry.local             that host on every port, by https
 *   registry.local:5000        that host on that port, by https
 *   http://registry.local:5000 that host on that port, by plain http (port 80 if none is written)
 */
export function parseNetworkEntry(text: string): NetworkEntry {
  if (text.startsWith(HTTP)) return parsePlainHttp(text.slice(HTTP.length));
  if (text.includes("://")) return wrong("HOST without https://, which is the default");
  if (text.includes("/")) {
    const cidr = parseCidr(text);
    const expected = "an address range such as 10.1.0.0/16 or fd00::/8, in canonical form, with zeros after the prefix";
    return cidr === undefined ? wrong(expected) : { kind: "cidr", cidr };
  }
  const address = parseCanonicalIp(text);
  if (address !== undefined) return { kind: "cidr", cidr: { network: address, prefix: address.length * 8 } };
  const host = parseHostPort(text);
  return typeof host === "string" ? wrong(host) : { kind: "host", host: formatHostPort(host) };
}

/** Host and port of a plain http URL, in the form of {@link NetworkAllow.plainHttp}. */
export function plainHttpHost({ hostname, port }: HostPort): string {
  return formatHostPort({ hostname, port: port ?? HTTP_PORT });
}

function parsePlainHttp(text: string): NetworkEntry {
  const host = parseHostPort(text);
  return typeof host === "string" ? wrong(`${host} after http://`) : { kind: "plainHttp", host: plainHttpHost(host) };
}

function formatHostPort({ hostname, port }: HostPort): string {
  return port === undefined ? hostname : `${hostname}:${port}`;
}

function wrong(expected: string): NetworkEntry {
  return { kind: "wrong", expected };
}
