import { parseCanonicalIp } from "../encoding/ip-address.ts";

/** A host as in a URL, and the port if one was written. */
export interface HostPort {
  /** Lower-case DNS name, canonical IPv4 address, or canonical IPv6 address in brackets. */
  readonly hostname: string;
  /** 1 to 65535; absent where none was written. */
  readonly port?: number;
}

/** RFC 1035 2.3.4 */
const MAX_HOSTNAME = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const HTTPS_PORT = 443;

/**
 * Reads `host` or `host:port` in the canonical form that all programs understand alike: lower-case ASCII labels, or an IP
 * literal in canonical form. A host that a URL parser would change (`127.1`, `0x7f.1`, `1.2.3.04`, `EXAMPLE.com`) is
 * rejected.
 *
 * @param text attacker-controlled
 * @returns the parts, or what was expected, to end a sentence
 */
export function parseHostPort(text: string): HostPort | string {
  const colon = text.startsWith("[") ? text.indexOf(":", text.lastIndexOf("]") + 1) : text.indexOf(":");
  const hostname = colon < 0 ? text : text.slice(0, colon);
  const digits = colon < 0 ? undefined : text.slice(colon + 1);
  const wrong = wrongHostname(hostname);
  if (wrong !== undefined) return wrong;
  if (digits === undefined) return { hostname };
  const port = Number(digits);
  if (!PORT.test(digits) || port > 65535) return "a port from 1 to 65535 without leading zeros";
  return { hostname, port };
}

/**
 * Reads the host of an image name (spec 1.3): it has a dot or a port, or is `localhost` or an IP
 * literal, as a name without any of these would be a path on Docker Hub.
 *
 * @param text attacker-controlled
 * @returns the host with its port unless that is 443, or what was expected, to end a sentence
 */
export function parseRegistryHost(text: string): { readonly host: string } | string {
  const parsed = parseHostPort(text);
  if (typeof parsed === "string") return parsed;
  const { hostname, port } = parsed;
  if (port === undefined && !isFullHostname(hostname)) return "a host with a dot or a port, or localhost";
  return { host: port === undefined || port === HTTPS_PORT ? hostname : `${hostname}:${port}` };
}

/** Whether a host name without a port is recognised as the host of an image name. */
export function isFullHostname(hostname: string): boolean {
  return hostname === "localhost" || hostname.includes(".") || hostname.startsWith("[");
}

function wrongHostname(hostname: string): string | undefined {
  if (hostname.startsWith("[")) {
    const address = hostname.endsWith("]") ? parseCanonicalIp(hostname.slice(1, -1)) : undefined;
    if (address?.length !== 16) return "an IPv6 address in canonical form (RFC 5952) between brackets";
  } else if (parseCanonicalIp(hostname)?.length !== 4) {
    const labels = hostname.split(".");
    if (hostname.length > MAX_HOSTNAME || !labels.every((label) => LABEL.test(label))) {
      return "a host of lower-case letters, digits, dots and hyphens, or an IP address";
    }
  }
  // The URL parser used for requests must leave the host unchanged.
  // (Labels with invalid Punycode, `xn--a`, are rejected by Bun and accepted by Node.)
  const url = `https://${hostname}`;
  if (!URL.canParse(url) || new URL(url).host !== hostname) {
    return "a host that means the same to every program (an IPv4 address as four decimal numbers)";
  }
  return undefined;
}
