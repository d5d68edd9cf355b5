import type { YamlFile } from "../encoding/yaml.ts";
import type { ConfigShape } from "./config-schema.ts";

/** Through whom requests go, where the configuration says it; then the environment plays no part. */
export interface ProxySettings {
  /** URL of the proxy for https: `http://HOST:PORT`, with user and password where it wants them. */
  readonly https?: string;
  /** The same for plain http. */
  readonly http?: string;
  /** Who is asked without a proxy, in the words of NO_PROXY. */
  readonly noProxy: readonly string[];
}

type ProxyShape = NonNullable<ConfigShape["network"]>["proxy"];

/**
 * Reads network.proxy: `none`, or who is the proxy.
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
      // What stands there may hold a password, and is not repeated.
      const expected = "http://HOST:PORT, with USER:PASSWORD@ before the host where it is needed";
      file.fail({ path: ["network", "proxy", key], found: "something else", expected });
    }
  }
  return { proxy: { ...(https !== undefined && { https }), ...(http !== undefined && { http }), noProxy } };
}
