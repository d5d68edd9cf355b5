import { readdirSync } from "node:fs";
import { DEFAULT_CACHE_DIR } from "../../core/config/config.ts";
import type { Environment } from "../process/environment.ts";

/** Sets the cache folder for code that runs before the configuration, which also sets it, is read. */
const CACHE_VARIABLE = "ATCR_VERIFY_CACHE_DIR";

/** The cache folder, as far as it is known before the configuration is read. */
export function cacheDirFromEnvironment(environment: Environment): string {
  return environment[CACHE_VARIABLE] ?? DEFAULT_CACHE_DIR;
}

/**
 * Whether there seems to be cached evidence for the image in the arguments. This only affects the order of work, so file
 * ownership is not checked.
 */
export function hasCachedEvidence(environment: Environment, args: readonly string[]): boolean {
  const digest = args.map((arg) => /sha256:([0-9a-f]{64})$/.exec(arg)?.[1]).find((hex) => hex !== undefined);
  if (digest === undefined) return false;
  try {
    return readdirSync(`${cacheDirFromEnvironment(environment)}/evidence`).some((name) => name.startsWith(digest));
  } catch {
    return false;
  }
}
