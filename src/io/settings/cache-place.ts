import { readdirSync } from "node:fs";
import { DEFAULT_CACHE_DIR } from "../../core/config/config.ts";
import type { Environment } from "../process/environment.ts";

/** Names the folder of the cache where it must be known before the configuration, which names it too, is read. */
const CACHE_VARIABLE = "ATCR_VERIFY_CACHE_DIR";

/** Where the cache lies, as far as is known before the configuration is read. */
export function cachePlace(environment: Environment): string {
  return environment[CACHE_VARIABLE] ?? DEFAULT_CACHE_DIR;
}

/**
 * Whether there seems to be evidence about the image that the arguments name. Nothing but the order of work
 * hangs on it, so nobody is asked whose file that is.
 */
export function mayBeKept(environment: Environment, args: readonly string[]): boolean {
  const digest = args.map((arg) => /sha256:([0-9a-f]{64})$/.exec(arg)?.[1]).find((hex) => hex !== undefined);
  if (digest === undefined) return false;
  try {
    return readdirSync(`${cachePlace(environment)}/evidence`).some((name) => name.startsWith(digest));
  } catch {
    return false;
  }
}
