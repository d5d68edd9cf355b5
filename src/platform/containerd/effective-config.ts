import { statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { field, type JsonObject } from "../../core/encoding/json.ts";
import { parseToml } from "../../core/encoding/toml.ts";
import type { Environment } from "../../io/process/environment.ts";
import { findProgram, runProgram } from "../program.ts";
import type { Daemon } from "./daemon.ts";

const PROGRAM = "containerd";
/** Characters of a program's error that are shown. */
const MAX_SHOWN = 300;

/** Imports and defaults included; or why it is not known: what containerd rejects in a file, or sentences. */
export type EffectiveConfig =
  | { readonly program: string; readonly config: JsonObject }
  | { readonly failures: readonly string[]; readonly mistake?: ConfigMistake };

/** What containerd does not accept in a file of its configuration: it does not start with it. */
export interface ConfigMistake {
  readonly file: string;
  /** From 1; absent where containerd does not say. */
  readonly line?: number;
  readonly what: string;
}

/**
 * Paths under which the program of a daemon can be run. In k3s, containerd, ctr and crictl are links to one program,
 * which does what the name says that it is run by: so a link called containerd comes first. Only names of the same
 * file count, since another containerd has other defaults.
 */
export function programsOf({ program, folder, argv0, environment }: Daemon): readonly string[] {
  const beside = join(dirname(program), PROGRAM);
  const called = argv0.includes("/") ? resolve(folder, argv0) : undefined;
  const inPath = findProgram(Object.fromEntries(environment), PROGRAM);
  const links = [beside, called, inPath].filter((path) => path !== undefined && isSameFile(path, program));
  const names = basename(program) === PROGRAM ? [program, ...links] : [...links, program];
  return [...new Set(names.filter((path) => path !== undefined))];
}

/**
 * The configuration as containerd's own program reads it: `PROGRAM --config PATH config dump`.
 *
 * @param programs absolute paths; the first that answers counts
 * @param timeout milliseconds for each
 */
export async function effectiveConfig(
  environment: Environment,
  programs: readonly string[],
  path: string,
  timeout: number,
): Promise<EffectiveConfig> {
  const failures: string[] = [];
  for (const program of programs) {
    const args = ["--config", path, "config", "dump"];
    const { code, stdout, stderr } = await runProgram(environment, program, args, timeout);
    const config = code === 0 ? parseToml(stdout) : undefined;
    if (config !== undefined && typeof field(config, "version") === "number") return { program, config };
    const mistake = code === undefined || code === 0 ? undefined : mistakeIn(stderr, path);
    // Another path of the same program would say the same.
    if (mistake !== undefined) return { failures: [], mistake };
    const said = code === 0 ? "it printed no configuration of containerd" : oneLine(stderr);
    failures.push(`the effective configuration could not be determined: ${program} ${args.join(" ")}: ${said}`);
  }
  return { failures };
}

/**
 * Reads the message with which containerd rejects its configuration (`LoadConfig` in cmd/containerd/server/config): a line
 * of its log with `file=`, `row=` and `error=`, or only an error that begins with `toml:` or names the file. Pure.
 *
 * @param path the main file, taken where none is named
 * @returns undefined for other failures, such as a file that this user may not read
 */
export function mistakeIn(stderr: string, path: string): ConfigMistake | undefined {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  if (!/\btoml\b/i.test(last) || /permission denied|no such file/.test(last)) return undefined;
  const [, quoted, bare] = /\sfile=(?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(stderr) ?? [];
  const [, loaded] = /failed to load TOML from (.+?): /.exec(last) ?? [];
  const [, line] = /\brow[ =](\d+)/.exec(stderr) ?? [];
  const what = last
    .replace(/^containerd: /, "")
    .replace(/^failed to (?:unmarshal TOML at [^:]*|load TOML from .+?): /, "");
  return {
    file: quoted ?? bare ?? loaded ?? path,
    ...(line !== undefined && { line: Number(line) }),
    what: what.slice(0, MAX_SHOWN),
  };
}

function oneLine(text: string): string {
  return text
    .trim()
    .replace(/\s*\n\s*/g, "; ")
    .slice(0, MAX_SHOWN);
}

function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}
