import { listenText } from "../../core/config/listen-address.ts";
import type { Listener } from "../../core/config/server-settings.ts";

/** Header fields, beside `Sec-Fetch-*`, that only browsers send. */
const OF_BROWSERS: ReadonlySet<string> = new Set(["origin", "referer"]);
const HTTP_PORT = 80;

/**
 * What a listener may be called. One without TLS is on loopback where it judges: a web page, whose name was made to lead
 * there, must not have a browser of this machine ask it what its credentials reach.
 *
 * @returns undefined with TLS, where the certificate says who it is
 */
export function hostsOf({ address, port, tls }: Listener): readonly string[] | undefined {
  if (tls !== undefined) return undefined;
  const hosts = [listenText({ address, port }), `localhost:${port}`];
  return port === HTTP_PORT ? [...hosts, ...hosts.map((host) => host.slice(0, host.lastIndexOf(":")))] : hosts;
}

/**
 * Why a request is not one of a program on this machine.
 *
 * @param headers of the request, names in lower case; attacker-controlled
 * @param hosts as {@link hostsOf} gives them
 */
export function whyForeign(headers: Readonly<Record<string, unknown>>, hosts: readonly string[]): string | undefined {
  const { host } = headers;
  if (typeof host !== "string" || !hosts.includes(host.toLowerCase()))
    return `expected Host: ${hosts[0]}, as this address has no TLS`;
  return Object.keys(headers).some((name) => OF_BROWSERS.has(name) || name.startsWith("sec-fetch-"))
    ? "requests of web pages are refused, as this address has no TLS"
    : undefined;
}
