/** Whether the host is an address: the URL parser normalises every notation to these forms. */
export function isIpLiteral(url: URL): boolean {
  return url.hostname.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(url.hostname);
}

/** The host without the brackets of an IPv6 address. */
export function bare(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

/** The URL with its host replaced by an address. */
export function withHost(url: URL, address: string): string {
  const pinned = new URL(url.href);
  pinned.hostname = address.includes(":") ? `[${address}]` : address;
  return pinned.href;
}
