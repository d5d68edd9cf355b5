import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fromUtf8 } from "../encoding/bytes.ts";
import { Rejection, type RejectionCode, reject } from "../rejection.ts";

const ROOT = 0;
const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** Larger files are no policy or configuration. */
const MAX_FILE = 1024 * 1024;
/** Links followed on the way to a file, as many as Linux follows (path_resolution(7)); stops a circle made after opening. */
const MAX_LINKS = 40;

/** Which file, for messages and codes. */
export interface LocalFile {
  readonly path: string;
  readonly code: RejectionCode;
  /** `the trust policy` */
  readonly what: string;
}

/**
 * Reads a file that decides about trust. One that somebody other than root and the running user can
 * change or replace is refused (spec 2.5): the file, or a folder or link on the way to it.
 *
 * @returns undefined where there is no such file
 * @throws Rejection `code`
 */
export function readTrustedFile({ path, code, what }: LocalFile): string | undefined {
  let fd: number | undefined;
  try {
    const absolute = resolve(path);
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(absolute, constants.O_RDONLY | constants.O_NONBLOCK);
    const file = fstatSync(fd);
    if (!file.isFile()) reject(code, `${what} ${path} is not a regular file`);
    if (file.size > MAX_FILE) reject(code, `${what} ${path} has ${file.size} bytes, at most ${MAX_FILE} are read`);
    checkOwner(file, path, what, code);
    for (const step of wayTo(absolute)) checkOwner(lstatSync(step), step, `on the way to ${what},`, code);
    const text = fromUtf8(readFileSync(fd));
    return text ?? reject(code, `${what} ${path} is not UTF-8 text`);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    if (fd === undefined && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    return reject(code, `${what} ${path} cannot be read: ${(error as Error).message}`, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function checkOwner(stats: Stats, path: string, what: string, code: RejectionCode): void {
  const { uid, mode } = stats;
  if (uid !== ROOT && uid !== process.geteuid?.()) {
    reject(code, `${what} ${path} belongs to user ${uid}, expected root or the running user; run: chown root ${path}`);
  }
  if (stats.isSymbolicLink()) return; // what it points to is checked by itself
  // In a sticky folder, others can add entries but not replace one that is not theirs.
  const replaceable = (mode & GROUP_OR_OTHERS_WRITE) !== 0 && !(stats.isDirectory() && (mode & STICKY) !== 0);
  if (replaceable) {
    const octal = (mode & 0o7777).toString(8);
    reject(code, `${what} ${path} can be written by others (mode ${octal}); run: chmod go-w ${path}`);
  }
}

/**
 * Every folder and link that has a say in which file a path leads to. Links are followed here one by
 * one: whoever owns the second of two decides as much as the owner of the first.
 */
function wayTo(absolute: string): readonly string[] {
  const way = ["/"];
  const names = absolute.split("/");
  let links = 0;
  let at = "/";
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = join(at, name); // takes the empty name, `.` and `..` for what they are: `at` is no link
    way.push(next);
    if (!lstatSync(next).isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`more than ${MAX_LINKS} links lead to it`);
    const target = readlinkSync(next);
    names.unshift(...target.split("/"));
    at = target.startsWith("/") ? "/" : dirname(next);
  }
  way.pop(); // the file itself, which was looked at when it was opened
  return [...new Set(way)];
}
