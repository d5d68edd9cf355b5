import { type Cidr, cidrContains, type IpAddress, parseIp } from "./ip-address.ts";

/**
 * Where IPv6 ranges hide an IPv4 address: the positions of its four bytes.
 *
 * 64:ff9b:1::/48 (RFC 8215) is subdivided differently by each network, and RFC 6052 2.2 puts the IPv4
 * address at another position for each prefix length (byte 8 is always skipped). The length is not known from outside, so
 * all positions count: otherwise an address that looks public in one layout could be translated to a metadata service in
 * another.
 */
const EMBEDDINGS: readonly { range: Cidr; layouts: readonly (readonly number[])[] }[] = [
  { range: known("::ffff:0:0", 96), layouts: [[12, 13, 14, 15]] }, // IPv4-mapped, RFC 4291 2.5.5.2
  { range: known("::", 96), layouts: [[12, 13, 14, 15]] }, // IPv4-compatible (deprecated), RFC 4291 2.5.5.1
  { range: known("64:ff9b::", 96), layouts: [[12, 13, 14, 15]] }, // NAT64, RFC 6052
  {
    range: known("64:ff9b:1::", 48), // NAT64 of the local network, RFC 8215
    layouts: [
      [6, 7, 9, 10],
      [7, 9, 10, 11],
      [9, 10, 11, 12],
      [12, 13, 14, 15],
    ],
  },
  { range: known("2002::", 16), layouts: [[2, 3, 4, 5]] }, // 6to4, RFC 3056
];

function known(network: string, prefix: number): Cidr {
  return { network: parseIp(network) ?? new Uint8Array(16), prefix };
}

/**
 * The IPv4 addresses to which a packet for this IPv6 address may be translated (spec 4): none for
 * IPv4 and for ordinary IPv6, among it `::` and `::1`; more than one where the layout cannot be
 * known, and then each has to be an address that may be contacted.
 */
export function embeddedIpv4(address: IpAddress): readonly IpAddress[] {
  if (isUnspecifiedOrLoopback(address)) return [];
  for (const { range, layouts } of EMBEDDINGS) {
    if (cidrContains(range, address)) {
      return layouts.map((layout) => Uint8Array.from(layout, (position) => address[position] ?? 0));
    }
  }
  return [];
}

/** `::` and `::1` are in the IPv4-compatible range but are not such addresses (RFC 4291 2.5.2, 2.5.3). */
function isUnspecifiedOrLoopback(address: IpAddress): boolean {
  return address.slice(0, 15).every((byte) => byte === 0) && (address[15] ?? 0) <= 1;
}
