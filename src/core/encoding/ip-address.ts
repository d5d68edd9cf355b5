/** An address as its bytes in network order: 4 for IPv4, 16 for IPv6. */
export type IpAddress = Uint8Array;

/** All addresses whose first `prefix` bits are those of `network`. */
export interface Cidr {
  readonly network: IpAddress;
  readonly prefix: number;
}

/** Longest text of an address: 8 groups, the last two written as IPv4. Bounds the work on hostile text. */
const MAX_TEXT = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".length;
const GROUP = /^[0-9a-fA-F]{1,4}$/;
const DECIMAL = /^(?:0|[1-9][0-9]{0,2})$/;

/**
 * Reads an address as a resolver may write it: IPv4 as four decimal numbers without leading zeros,
 * IPv6 in any form of RFC 4291 2.2, also `::ffff:1.2.3.4`. No zone (`%eth0`), no brackets, none of
 * the forms of inet_aton (`127.1`, `0x7f.1`), in which one text means different hosts to different
 * programs.
 *
 * @param text attacker-controlled
 */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > MAX_TEXT) return undefined;
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Reads an address only in the one form that {@link formatIp} writes. */
export function parseCanonicalIp(text: string): IpAddress | undefined {
  const address = parseIp(text);
  return address !== undefined && formatIp(address) === text ? address : undefined;
}

function parseIpv4(text: string): IpAddress | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => DECIMAL.test(part))) return undefined;
  const numbers = parts.map(Number);
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined;
}

function parseIpv6(text: string): IpAddress | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // `::` stands for one group of zeros at least (RFC 4291 2.2); without it nothing may be missing.
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

/** @returns bytes of the groups between colons; an IPv4 address may end the text, nothing else */
function parseGroups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (GROUP.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
      continue;
    }
    const ipv4 = endsAddress && index === groups.length - 1 ? parseIpv4(group) : undefined;
    if (ipv4 === undefined) return undefined;
    bytes.push(...ipv4);
  }
  return bytes;
}

/**
 * Writes an address in its canonical form: RFC 5952 for IPv6, of which the last 32 bits are always
 * hexadecimal groups, as URLs have it (`::ffff:102:304`). No brackets.
 */
export function formatIp(address: IpAddress): string {
  if (address.length === 4) return address.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((address[i] ?? 0) << 8) | (address[i + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** The first of the longest runs of zeros (RFC 5952 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  return best;
}

/**
 * Reads `10.0.0.0/8` or `fd00::/8`: canonical address, prefix without leading zeros, and no bit set
 * after the prefix, so that the text is unambiguous.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? undefined : parseCanonicalIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !DECIMAL.test(digits)) return undefined;
  const prefix = Number(digits);
  if (prefix > address.length * 8) return undefined;
  const isNetwork = formatIp(maskedTo(address, prefix)) === formatIp(address);
  return isNetwork ? { network: address, prefix } : undefined;
}

/** The address with every bit behind the first `prefix` ones cleared. */
function maskedTo(address: IpAddress, prefix: number): IpAddress {
  return address.map((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix - i * 8));
    return byte & (0xff << (8 - bits));
  });
}

/** Whether the address is of the same family and in the range. An IPv4 one embedded in IPv6 is IPv6. */
export function cidrContains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.network.length !== address.length) return false;
  return maskedTo(address, cidr.prefix).every((byte, i) => byte === cidr.network[i]);
}
