import { lstatSync } from "node:fs";
import type { Environment } from "../process/environment.ts";

const DEFAULT_PATH = "/etc/atcr-verify/break-glass.yaml";
const VARIABLE = "ATCR_VERIFY_BREAK_GLASS";

/** Where the file lies: not named by the configuration, as that may be what is wrong. */
export function breakGlassPath(environment: Environment): string {
  return environment[VARIABLE] ?? DEFAULT_PATH;
}

/** Whether anything lies there. Apart from what reads it, which a pull does not pay for where there is nothing. */
export function isThereGlass(environment: Environment): boolean {
  try {
    return lstatSync(breakGlassPath(environment), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // Whoever may not even see it cannot read it either.
  }
}
