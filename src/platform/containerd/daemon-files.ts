import { readdirSync, statSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import type { Daemon } from "./daemon.ts";

/** Milliseconds by which a start may be told too early: clock ticks, and the time of the machine's start. */
const TOLERANCE = 1_000;

/**
 * Files of containerd's configuration that were changed after it began, so that it may run with other settings.
 * By the time of the change of their inode: packages and copies often keep that of the content.
 *
 * @param imports as the configuration lists them: paths and patterns, also relative to its folder
 */
export function changedSince(
  { startedAt }: Pick<Daemon, "startedAt">,
  configPath: string,
  imports: readonly string[],
): readonly string[] {
  const files = [configPath, ...imports.flatMap((path) => matches(resolve(dirname(configPath), path)))];
  return files.filter((path) => changedAt(path) > startedAt + TOLERANCE);
}

/** A pattern's folder counts as well: something may be gone from it. */
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
