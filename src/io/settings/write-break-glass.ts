import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { type BreakGlass, type BreakGlassFile, breakGlassText } from "../../core/policy/break-glass.ts";
import { readBreakGlass } from "../../core/policy/parse-break-glass.ts";
import { replaceFile } from "../fs/replace-file.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import type { Environment } from "../process/environment.ts";
import { readBreakGlassFile } from "./break-glass-file.ts";
import { breakGlassPath } from "./break-glass-path.ts";

/** Everybody may see that break-glass is active: the doctor reports it without root. */
const MODE = 0o644;

/**
 * Writes this node's break-glass file, whole or not at all, and reads it back as a pull does.
 *
 * @param now milliseconds since 1970
 * @returns what a pull will find
 * @throws Rejection config.invalid if a pull would not accept it, and then nothing is written
 * @throws Error of the file system, or if others can write to the file's folder
 */
export function writeBreakGlassFile(
  environment: Environment,
  breakGlass: Pick<BreakGlass, "reason" | "until"> & { readonly scopes: readonly string[] },
  now: number,
): BreakGlassFile | undefined {
  const path = breakGlassPath(environment);
  const text = breakGlassText(breakGlass);
  readBreakGlass(text, path);
  assertPathTrusted(dirname(path));
  replaceFile(path, text, MODE);
  return readBreakGlassFile(environment, now);
}

/** Removes this node's break-glass file. @throws Error of the file system, unless there is none */
export function removeBreakGlassFile(environment: Environment): void {
  rmSync(breakGlassPath(environment), { force: true });
}
