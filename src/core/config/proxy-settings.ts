import type { YamlFile } from "../encoding/yaml.ts";
import type { ConfigShape } from "./config-schema.ts";

/** The configured proxies, which replace those of the environment. */
export interface ProxySettings {
  /** URL of the proxy for https: `http://HOST:PORT`, with user and password if it requires them. */
  readonly https?: string;
  /** The same for plain http. */
  readonly http?: string;
  /** Hosts contacted without a proxy, in the syntax of NO_PROXY. */
  readonly noProxy: readonly string[];
}

type ProxyShape = NonNullable<ConfigShape["network"]>["proxy"];

/**
 * Reads network.proxy: `none`, or the proxies.
 *
 * @throws Rejection config.invalid
 */
export function readProxy(file: YamlFile, shape: ProxyShape): { readonly proxy?: ProxySettings } {
  if (shape === undefined) return {};
  if (shape === "none") return { proxy: { noProxy: [] } };
  const { https, http, noProxy = [] } = shape;
  for (const [key, text] of Object.entries({ https, http })) {
    if (text === undefined) continue;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isOrigin = url !== undefined && url.pathname === "/" && url.search === "" && url.hash === "";
    if (!isOrigin || url.protocol !== "http:") {
      // The value may contain a password, so it is not repeated.
      const expected = "http://HOST:PORT, with USER:PASSWORD@ before the host if it requires them";
      const at = ["network", "proxy", key];
      file.attempt(undefined, () => file.fail({ path: at, found: "something else", expected }));
    }
  }
  return { proxy: { ...(https !== undefined && { https }), ...(http !== undefined && { http }), noProxy } };
}
