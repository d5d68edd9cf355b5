import { statSync } from "node:fs";
import { type BreakGlassFile, whyNotInForce } from "../../core/policy/break-glass.ts";
import { readBreakGlass } from "../../core/policy/parse-break-glass.ts";
import { isDenied } from "../fs/denied.ts";
import { readTrustedFile } from "../fs/local-file.ts";
import type { Environment } from "../process/environment.ts";
import { breakGlassPath } from "./break-glass-path.ts";

/**
 * Reads this node's break-glass file. With any mistake in it, break-glass is not active.
 *
 * @param now milliseconds since 1970
 * @returns undefined where there is no such file
 */
export function readBreakGlassFile(environment: Environment, now: number): BreakGlassFile | undefined {
  const path = breakGlassPath(environment);
  try {
    const text = readTrustedFile({ path, code: "config.invalid", what: "the break-glass file" });
    if (text === undefined) return undefined;
    const active = readBreakGlass(text, path);
    const because = whyNotInForce(active, statSync(path).mtimeMs, now);
    return because === undefined ? { path, active } : { path, because };
  } catch (error) {
    return { path, because: (error as Error).message, ...(isDenied(error) && { isUnseen: true as const }) };
  }
}
