/** An IPv4 address within IPv6 begins with it (RFC 4291 2.5.5.2). */
export const MAPPED: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/**
 * How /proc/net/tcp and tcp6 write one end of a socket (proc_net_tcp(5)): each four bytes as a number of this machine,
 * which is little-endian on all that the program is built for.
 *
 * @param bytes of the address: 4 or 16
 */
export function kernelAddress(bytes: readonly number[], port: number): string {
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.slice(4 * i, 4 * i + 4).toReversed());
  return `${words.map((word) => word.map((byte) => hex(byte, 2)).join("")).join("")}:${hex(port, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
