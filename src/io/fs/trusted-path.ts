import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { isOnReadOnlyMount } from "./mounts.ts";

const ROOT = 0;
const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** Links followed in one path, as many as Linux follows (path_resolution(7)); stops a loop created after opening. */
const MAX_LINKS = 40;

/**
 * Why someone other than root and the running user can change this file or folder, or replace this link (spec 2.5).
 *
 * @returns a clause with the reason and what to do; undefined where no one else can
 */
export function untrustedReason(stats: Stats, path: string): string | undefined {
  const { uid, mode } = stats;
  if (uid !== ROOT && uid !== process.geteuid?.()) {
    return `${path} belongs to user ${uid}, expected root or the running user; run: chown root ${path}`;
  }
  if (stats.isSymbolicLink()) return undefined; // its target is checked separately
  if ((mode & GROUP_OR_OTHERS_WRITE) === 0) return undefined;
  // In a sticky folder, others can add entries but not replace those of other users.
  return !stats.isDirectory() || ((mode & STICKY) === 0 && !isOnReadOnlyMount(path))
    ? `${path} can be written by others (mode ${(mode & 0o7777).toString(8)}); run: chmod go-w ${path}`
    : undefined;
}

/**
 * Checks every component of a path.
 *
 * @param absolute path
 * @throws Error where someone else can change one of them; or of the file system, with its code
 */
export function assertPathTrusted(absolute: string): void {
  walk(absolute, check);
}

/**
 * Visits every component of a path, the last one included. Symlinks are followed one at a time: the owner of each link
 * in a chain decides which file is reached.
 *
 * @throws Error where there are more than {@link MAX_LINKS} links; or of the file system, with its code
 */
export function walk(absolute: string, look: (stats: Stats, path: string) => void): void {
  const names = absolute.split("/");
  let links = 0;
  let at = "/";
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = join(at, name); // resolves the empty name, `.` and `..`: `at` is not a link
    const stats = lstatSync(next);
    look(stats, next);
    if (!stats.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`its path has more than ${MAX_LINKS} symlinks`);
    const target = readlinkSync(next);
    names.unshift(...target.split("/"));
    at = target.startsWith("/") ? "/" : dirname(next);
  }
}

/** Checks one component. @returns its stats. @throws Error like {@link assertPathTrusted} */
export function check(stats: Stats, path: string): Stats {
  const reason = untrustedReason(stats, path);
  if (reason !== undefined) throw new Error(reason);
  return stats;
}
