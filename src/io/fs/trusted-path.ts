import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = 0;
const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** Links followed on the way to a file, as many as Linux follows (path_resolution(7)); stops a circle made after opening. */
const MAX_LINKS = 40;

/**
 * Why somebody other than root and the running user can change this file or folder, or put another in
 * the place of this link (spec 2.5).
 *
 * @returns a clause that says how it is and what to do; undefined where nobody can
 */
export function replaceable(stats: Stats, path: string): string | undefined {
  const { uid, mode } = stats;
  if (uid !== ROOT && uid !== process.geteuid?.()) {
    return `${path} belongs to user ${uid}, expected root or the running user; run: chown root ${path}`;
  }
  if (stats.isSymbolicLink()) return undefined; // what it points to is looked at by itself
  // In a sticky folder, others can add entries but not replace one that is not theirs.
  const writable = (mode & GROUP_OR_OTHERS_WRITE) !== 0 && !(stats.isDirectory() && (mode & STICKY) !== 0);
  return writable
    ? `${path} can be written by others (mode ${(mode & 0o7777).toString(8)}); run: chmod go-w ${path}`
    : undefined;
}

/**
 * Walks to a file or folder.
 *
 * @param absolute path
 * @throws Error where somebody else can change something on the way; or of the file system, with its code
 */
export function checkWay(absolute: string): void {
  walk(absolute, check);
}

/**
 * Shows every file, folder and link that has a say in which file a path leads to, the last one included.
 * Links are followed one by one: whoever owns the second of two decides as much as the owner of the first.
 *
 * @throws Error where there are more than {@link MAX_LINKS} links; or of the file system, with its code
 */
export function walk(absolute: string, look: (stats: Stats, path: string) => void): void {
  const names = absolute.split("/");
  let links = 0;
  let at = "/";
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = join(at, name); // takes the empty name, `.` and `..` for what they are: `at` is no link
    const stats = lstatSync(next);
    look(stats, next);
    if (!stats.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`more than ${MAX_LINKS} links lead to it`);
    const target = readlinkSync(next);
    names.unshift(...target.split("/"));
    at = target.startsWith("/") ? "/" : dirname(next);
  }
}

/** @returns them. @throws Error as {@link checkWay}, of this one thing */
export function check(stats: Stats, path: string): Stats {
  const reason = replaceable(stats, path);
  if (reason !== undefined) throw new Error(reason);
  return stats;
}
