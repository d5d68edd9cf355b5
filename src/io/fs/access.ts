import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { hasCode } from "./error-code.ts";

/** Whether this user may use the folder, or create it. */
export function mayUse(folder: string): boolean {
  if (process.getuid?.() === 0) return true;
  return whyDenied(existsSync(folder) ? folder : dirname(folder), "change") === undefined;
}

/** Why this user may not use a folder, and what to do; undefined where permissions are not the reason. */
export function whyDenied(folder: string, to: "read" | "change"): string | undefined {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK | (to === "change" ? constants.W_OK : 0));
    return undefined;
  } catch (error) {
    return denialOf(error, to, folder);
  }
}

/** Like {@link whyDenied}, for an error of an attempt. */
export function denialOf(error: unknown, to: "read" | "change", path: string): string | undefined {
  return hasCode(error, "EACCES") ? `this user may not ${to} ${path}; run this as root` : undefined;
}
