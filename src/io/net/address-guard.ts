import type { NetworkAllow } from "../../core/config/network-allow.ts";
import { embeddedIpv4 } from "../../core/encoding/embedded-ipv4.ts";
import { type Cidr, cidrContains, type IpAddress, parseCidr, parseIp } from "../../core/encoding/ip-address.ts";
import { HttpFailure } from "./exchange.ts";

/**
 * `never`: no legitimate service is there, or a request could reach a metadata service; no list allows it.
 * `private`: must be listed. `public`: the rest.
 */
export type AddressClass = "never" | "private" | "public";

interface Range {
  readonly cidr: Cidr;
  readonly is: AddressClass;
  readonly name: string;
}

/**
 * The first range that contains the address counts. From the IANA special-purpose address registries (RFC 6890),
 * and from the clouds' documentation of their metadata services, which give the machine's credentials to any process
 * on it.
 */
const IPV4: readonly Range[] = [
  range("100.100.100.200/32", "never", "metadata service (Alibaba Cloud)"),
  range("168.63.129.16/32", "never", "metadata service (Azure)"),
  range("0.0.0.0/8", "never", "unspecified, this network"),
  range("169.254.0.0/16", "never", "link-local, metadata services"),
  range("192.0.0.0/24", "never", "protocol assignments, metadata service (Oracle Cloud)"),
  range("192.0.2.0/24", "never", "documentation"),
  range("192.88.99.0/24", "never", "6to4 relay"),
  range("198.51.100.0/24", "never", "documentation"),
  range("203.0.113.0/24", "never", "documentation"),
  range("224.0.0.0/4", "never", "multicast"),
  range("240.0.0.0/4", "never", "reserved, broadcast"),
  range("10.0.0.0/8", "private", "private network"),
  range("100.64.0.0/10", "private", "carrier-grade NAT"),
  range("127.0.0.0/8", "private", "loopback"),
  range("172.16.0.0/12", "private", "private network"),
  range("192.168.0.0/16", "private", "private network"),
  range("198.18.0.0/15", "private", "benchmarking"),
  range("0.0.0.0/0", "public", "public"),
];

const IPV6: readonly Range[] = [
  range("fd00:ec2::/32", "never", "metadata service (AWS)"),
  range("fd20:ce::254/128", "never", "metadata service (Google Cloud)"),
  range("fd00:c1::a9fe:a9fe/128", "never", "metadata service (Oracle Cloud)"),
  range("fd00:42::42/128", "never", "metadata service (Scaleway)"),
  range("::1/128", "private", "loopback"),
  range("fc00::/7", "private", "private network"),
  range("2001::/32", "never", "Teredo"),
  range("2001::/23", "never", "protocol assignments"),
  range("2001:db8::/32", "never", "documentation"),
  range("3fff::/20", "never", "documentation"),
  range("2000::/3", "public", "public"),
  range("fe80::/10", "never", "link-local"),
  range("ff00::/8", "never", "multicast"),
  // Unspecified, site-local, discard-only, segment routing, and all that was never assigned.
  range("::/0", "never", "not a public address"),
];

function range(cidr: string, is: AddressClass, name: string): Range {
  const parsed = parseCidr(cidr);
  if (parsed === undefined) throw new Error(`${cidr} is not a CIDR`);
  return { cidr: parsed, is, name };
}

/**
 * Classifies an address. An IPv6 address that embeds an IPv4 one (mapped, compatible, NAT64, 6to4) is classified as
 * that; if it embeds several, as the most restricted of them.
 */
export function classifyAddress(address: IpAddress): { readonly is: AddressClass; readonly name: string } {
  return worst(meantAddresses(address).map((meant) => rangeOf(meant)));
}

function meantAddresses(address: IpAddress): readonly IpAddress[] {
  const embedded = embeddedIpv4(address);
  return embedded.length === 0 ? [address] : embedded;
}

function rangeOf(address: IpAddress): Range {
  const found = (address.length === 4 ? IPV4 : IPV6).find(({ cidr }) => cidrContains(cidr, address));
  if (found === undefined) throw new Error("the tables end with a range that contains everything");
  return found;
}

function worst(ranges: readonly Range[]): Range {
  const order: readonly AddressClass[] = ["never", "private", "public"];
  const [first] = [...ranges].sort((a, b) => order.indexOf(a.is) - order.indexOf(b.is));
  if (first === undefined) throw new Error("an address means at least itself");
  return first;
}

/**
 * Why this address must not be contacted for this URL, as a sentence; undefined where it may be (spec 4).
 *
 * @param address text from a resolver or from the URL; attacker-controlled
 * @param mayBePrivate true only for the registry that the image names
 */
export function refusedAddress(
  address: string,
  url: URL,
  allow: NetworkAllow,
  mayBePrivate: boolean,
): string | undefined {
  const parsed = parseIp(address);
  if (parsed === undefined) return `${JSON.stringify(address)} is not an IP address`;
  const { is, name } = classifyAddress(parsed);
  if (is === "never") return `${address} must never be contacted (${name})`;
  if (is === "public" || mayBePrivate || isListed(url, allow.hosts) || isListed(url, allow.plainHttp)) return undefined;
  const isInRange = (meant: IpAddress): boolean => allow.cidrs.some((cidr) => cidrContains(cidr, meant));
  if (meantAddresses(parsed).every(isInRange)) return undefined;
  return `${address} is not public (${name}) and not listed in network.allow`;
}

/**
 * Checks a URL before any lookup: https, or http to a host listed for it; no credentials; a host that can be a server
 * name.
 *
 * @param url attacker-controlled
 * @throws HttpFailure `forbidden_address`
 */
export function checkTarget(url: URL, allow: NetworkAllow): void {
  const isPlain = url.protocol === "http:";
  if (url.protocol !== "https:" && !isPlain) forbid(`${url.protocol} is not allowed, only https:`);
  if (isPlain && !allow.plainHttp.includes(hostAndPort(url))) {
    forbid(`http is not allowed: network.allow does not list http://${hostAndPort(url)}`);
  }
  if (url.username !== "" || url.password !== "") forbid("the URL contains credentials");
  // DNS resolves it to the same host, but it differs from the name in certificates and lists.
  if (url.hostname.endsWith(".")) forbid(`the host name ${url.hostname} ends with a dot`);
}

/** Host in lower case, always with a port: `example.com:443`, `[::1]:5000`. */
export function hostAndPort(url: URL): string {
  return `${url.hostname}:${url.port !== "" ? url.port : url.protocol === "http:" ? "80" : "443"}`;
}

function isListed(url: URL, hosts: readonly string[]): boolean {
  return hosts.includes(url.hostname) || hosts.includes(hostAndPort(url));
}

function forbid(message: string): never {
  throw new HttpFailure("forbidden_address", message);
}
