import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { hasCode } from "./error-code.ts";

/** Whether this user may work in the folder, or make it. */
export function mayUse(folder: string): boolean {
  if (process.getuid?.() === 0) return true;
  return whyDenied(existsSync(folder) ? folder : dirname(folder), "change") === undefined;
}

/** Why this user may not work in a folder, and what to do; undefined where it is not a matter of permission. */
export function whyDenied(folder: string, to: "read" | "change"): string | undefined {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK | (to === "change" ? constants.W_OK : 0));
    return undefined;
  } catch (error) {
    return denialOf(error, to, folder);
  }
}

/** As {@link whyDenied}, of what has been tried at a path. */
export function denialOf(error: unknown, to: "read" | "change", path: string): string | undefined {
  return hasCode(error, "EACCES") ? `this user may not ${to} ${path}; run this as root` : undefined;
}
