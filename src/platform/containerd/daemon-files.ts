import { readdirSync, statSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import type { Daemon } from "./daemon.ts";

/** Milliseconds by which the start time may be computed too early, from clock ticks and the uptime. */
const TOLERANCE = 1_000;

/**
 * Configuration files that were changed after containerd started, so that it may run with other settings. The inode's
 * change time counts too, because packages and copies often preserve the modification time.
 *
 * @param imports as the configuration lists them: paths and patterns, also relative to its folder
 */
export function changedSince(
  { startedAt }: Pick<Daemon, "startedAt">,
  configPath: string,
  imports: readonly string[],
): readonly string[] {
  return configFiles(configPath, imports).filter((path) => changedAt(path) > startedAt + TOLERANCE);
}

/** The configuration and what it imports, in the order in which it is read; before a pattern's files its folder. */
export function configFiles(configPath: string, imports: readonly string[]): readonly string[] {
  return [configPath, ...imports.flatMap((path) => matches(resolve(dirname(configPath), path)))];
}

/** A pattern's folder counts as well: its time shows that a file was removed from it. */
function matches(path: string): readonly string[] {
  if (!path.includes("*")) return [path];
  const folder = dirname(path);
  try {
    const names = readdirSync(folder).filter((name) => extname(name) === extname(path));
    return [folder, ...names.map((name) => join(folder, name))];
  } catch {
    return [];
  }
}

function changedAt(path: string): number {
  try {
    const { mtimeMs, ctimeMs } = statSync(path);
    return Math.max(mtimeMs, ctimeMs);
  } catch {
    return 0;
  }
}
