import { lstatSync } from "node:fs";
import type { Environment } from "../process/environment.ts";

const DEFAULT_PATH = "/etc/atcr-verify/break-glass.yaml";
const VARIABLE = "ATCR_VERIFY_BREAK_GLASS";

/** Path of the file. The configuration does not name it, as that may be what is broken. */
export function breakGlassPath(environment: Environment): string {
  return environment[VARIABLE] ?? DEFAULT_PATH;
}

/** Whether the file exists. In a module of its own, so that a pull loads the reader only if it does. */
export function breakGlassFileExists(environment: Environment): boolean {
  try {
    return lstatSync(breakGlassPath(environment), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // A user who may not look it up cannot read it either.
  }
}
