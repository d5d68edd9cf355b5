import { type IpAddress, parseCanonicalIp } from "../encoding/ip-address.ts";
import { parseHostPort } from "../oci/host.ts";

/** An address to listen on. */
export interface ListenAddress {
  /** A canonical IP address, without brackets. */
  readonly address: string;
  /** 1 to 65535 */
  readonly port: number;
}

/**
 * Reads `127.0.0.1:947`, `[::1]:947`, `0.0.0.0:8443`: an address in canonical form and a port. A name would be looked up,
 * and could so be anybody's address.
 */
export function parseListen(text: string): (ListenAddress & { readonly ip: IpAddress }) | undefined {
  const parsed = parseHostPort(text);
  if (typeof parsed === "string" || parsed.port === undefined) return undefined;
  const address = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
  const ip = parseCanonicalIp(address);
  return ip === undefined ? undefined : { address, port: parsed.port, ip };
}

/** `127.0.0.1:947`, `[::1]:947`: as {@link parseListen} reads it, and as it stands in URLs. */
export function listenText({ address, port }: ListenAddress): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Whether only this machine can reach an address: 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  if (address.length === 4) return address[0] === 127;
  return address.every((byte, i) => byte === (i === 15 ? 1 : 0));
}
