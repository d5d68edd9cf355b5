import type { ProxySettings } from "../../core/config/proxy-settings.ts";
import { type Cidr, cidrContains, type IpAddress, parseCidr, parseIp } from "../../core/encoding/ip-address.ts";
import { percentDecoded } from "../../core/encoding/percent.ts";
import type { Environment } from "../process/environment.ts";
import { HttpFailure, type Sent } from "./exchange.ts";

/** The proxies for requests. */
export interface Proxies extends ProxySettings {
  /** Where they are configured, for messages. */
  readonly from: string;
}

/** Entries of NO_PROXY that are used; each is compared with every host. */
const MAX_NO_PROXY = 1000;
const LOOPBACK: readonly Cidr[] = ["127.0.0.0/8", "::1/128"].flatMap((text) => parseCidr(text) ?? []);

/**
 * The configured proxies, else those of the environment: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, upper case before lower
 * case, as in Go's net/http and so in containerd.
 *
 * @param environment of the process
 */
export function proxiesOf(configured: ProxySettings | undefined, environment: Environment): Proxies {
  if (configured !== undefined) return { ...configured, from: "network.proxy" };
  const read = (name: string): string => environment[name] || environment[name.toLowerCase()] || "";
  const [https, http] = [read("HTTPS_PROXY"), read("HTTP_PROXY")];
  const noProxy = read("NO_PROXY").split(",");
  return { ...(https && { https }), ...(http && { http }), noProxy, from: "the environment" };
}

/**
 * The proxy for a URL, by the rules of golang.org/x/net/http/httpproxy.
 *
 * @param url may be attacker-controlled
 * @returns undefined where it is contacted directly: no proxy is set, or the host is excepted, as loopback always is
 * @throws HttpFailure unreachable where the proxy cannot be used: it is never bypassed
 */
export function proxyFor(url: URL, proxies: Proxies): URL | undefined {
  const text = url.protocol === "https:" ? proxies.https : proxies.http;
  if (text === undefined || isExcepted(url, proxies.noProxy)) return undefined;
  const proxy = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (proxy === null || proxy.protocol !== "http:" || proxy.hostname === "") {
    // The setting may contain a password, so it is not repeated.
    const name = url.protocol === "https:" ? "https" : "http";
    throw new HttpFailure(
      "unreachable",
      `the ${name} proxy set by ${proxies.from} cannot be used: expected http://HOST:PORT`,
    );
  }
  return proxy;
}

/** The credentials sent to the proxies, in the form of a request. */
export function sentToProxies({ https, http }: ProxySettings): readonly Sent[] {
  return [https, http].flatMap((text) => {
    const proxy = URL.parse(text?.includes("://") === false ? `http://${text}` : (text ?? ""));
    if (proxy === null || proxy.password === "") return [];
    const pair = Buffer.from(percentDecoded(`${proxy.username}:${proxy.password}`)).toString("base64");
    return [{ headers: { "Proxy-Authorization": `Basic ${pair}` } }];
  });
}

function isExcepted(url: URL, noProxy: readonly string[]): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const address = parseIp(host);
  if (host === "localhost" || (address && LOOPBACK.some((cidr) => cidrContains(cidr, address)))) return true;
  return noProxy.slice(0, MAX_NO_PROXY).some((entry) => matches(entry.trim().toLowerCase(), { host, port, address }));
}

interface Target {
  readonly host: string;
  readonly port: string;
  readonly address: IpAddress | undefined;
}

/** @param entry `*`, an address, a range, or a domain including its subdomains */
function matches(entry: string, { host, port, address }: Target): boolean {
  if (entry === "*") return true;
  if (entry === "") return false;
  const cidr = parseCidr(entry);
  if (cidr !== undefined) return address !== undefined && cidrContains(cidr, address);
  const { name, only } = splitPort(entry);
  if (only !== undefined && only !== port) return false;
  const excepted = parseIp(name);
  if (excepted !== undefined) return address !== undefined && excepted.join() === address.join();
  const domain = name.startsWith("*.") ? name.slice(1) : name;
  if (domain === "" || domain === ".") return false;
  return domain.startsWith(".") ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function splitPort(entry: string): { readonly name: string; readonly only?: string } {
  const [, bracketed, plain, only] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(entry) ?? [];
  const name = bracketed ?? plain;
  return name === undefined || only === undefined ? { name: entry.replace(/^\[|\]$/g, "") } : { name, only };
}
