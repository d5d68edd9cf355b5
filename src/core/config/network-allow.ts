import { type Cidr, parseCanonicalIp, parseCidr } from "../encoding/ip-address.ts";
import { type HostPort, parseHostPort } from "../oci/host.ts";

/**
 * What the administrator lists in network.allow (spec 4). Nothing is listed unless somebody writes it.
 *
 * Hosts are as in URLs: lower case, IPv6 addresses in brackets.
 */
export interface NetworkAllow {
  /** Ranges whose addresses may be contacted although they are private; a single address is a range of one. */
  readonly cidrs: readonly Cidr[];
  /** `host` or `host:port`, which may lie at a private address. A host without a port stands for all its ports. */
  readonly hosts: readonly string[];
  /** `host:port`, always with its port (80 is written out), spoken to in plain http. All are in `hosts` too. */
  readonly plainHttp: readonly string[];
}

export const NOTHING_ALLOWED: NetworkAllow = { cidrs: [], hosts: [], plainHttp: [] };

/** One entry, read; or what was expected instead, for a message. */
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
  if (text.includes("://")) return wrong("HOST without https://, which is what is spoken anyway");
  if (text.includes("/")) {
    const cidr = parseCidr(text);
    const expected =
      "an address range such as 10.1.0.0/16 or fd00::/8, in canonical form, with zeros behind the prefix";
    return cidr === undefined ? wrong(expected) : { kind: "cidr", cidr };
  }
  const address = parseCanonicalIp(text);
  if (address !== undefined) return { kind: "cidr", cidr: { network: address, prefix: address.length * 8 } };
  const host = parseHostPort(text);
  return typeof host === "string" ? wrong(host) : { kind: "host", host: formatHostPort(host) };
}

/** Where a plain http URL leads, in the form of {@link NetworkAllow.plainHttp}. */
export function plainHttpHost({ hostname, port }: HostPort): string {
  return formatHostPort({ hostname, port: port ?? HTTP_PORT });
}

function parsePlainHttp(text: string): NetworkEntry {
  const host = parseHostPort(text);
  return typeof host === "string" ? wrong(`${host} behind http://`) : { kind: "plainHttp", host: plainHttpHost(host) };
}

function formatHostPort({ hostname, port }: HostPort): string {
  return port === undefined ? hostname : `${hostname}:${port}`;
}

function wrong(expected: string): NetworkEntry {
  return { kind: "wrong", expected };
}
