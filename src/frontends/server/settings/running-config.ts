import { isDeepStrictEqual } from "node:util";
import type { Config } from "../../../core/config/config.ts";
import type { ServerSettings } from "../../../core/config/server-settings.ts";
import { reject } from "../../../core/rejection.ts";

/** A configuration that the server can run with. */
export type ServerConfig = Config & { readonly server: ServerSettings };

/** @param path of the configuration, for the message. @throws Rejection config.invalid */
export function serverConfig(config: Config, path: string): ServerConfig {
  const { server } = config;
  if (server === undefined)
    reject("config.invalid", `the configuration ${path} has no key server, which says where atcr-verify serve listens`);
  return { ...config, server };
}

/** Keys that take effect at the next start alone: files that are written to; and below, the addresses that are open. */
const AT_START = ["stateDir", "cacheDir", "decisionLog"] as const;

/**
 * What takes effect of a configuration that was read while the server runs.
 *
 * @returns it, and the changed keys that need a restart
 */
export function whileRunning(
  running: ServerConfig,
  next: ServerConfig,
): { readonly config: ServerConfig; readonly later: readonly string[] } {
  const { stateDir, cacheDir, decisionLog } = running;
  const { listeners } = running.server;
  const { server } = next;
  const later: string[] = AT_START.filter((key) => !isDeepStrictEqual(running[key], next[key]));
  if (!isDeepStrictEqual(listeners, server.listeners)) later.push("server.listeners");
  // The next listeners may need no tokens, but those that are open do.
  const withoutTokens = running.server.tokenFiles.length > 0 && server.tokenFiles.length === 0;
  if (withoutTokens) later.push("server.tokenFiles");
  const { tokenFiles } = withoutTokens ? running.server : server;
  return { config: { ...next, stateDir, cacheDir, decisionLog, server: { ...server, listeners, tokenFiles } }, later };
}
