import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { fromUtf8 } from "../../core/encoding/bytes.ts";
import { Rejection, type RejectionCode, reject } from "../../core/rejection.ts";
import { hasCode } from "./error-code.ts";
import { replaceable, walk } from "./trusted-path.ts";

const GROUP_OR_OTHERS_WRITE = 0o022;
/** Larger files are no policy or configuration. */
const MAX_FILE = 1024 * 1024;

/** Which file, for messages and codes. */
export interface LocalFile {
  readonly path: string;
  readonly code: RejectionCode;
  /** `the trust policy` */
  readonly what: string;
}

/**
 * Told of what somebody other than root and the running user can change, and what to do; may throw. A
 * file may be told of twice: as itself, and as the end of the way to it.
 *
 * @param path absolute
 */
export type Distrust = (why: string, path: string) => void;

/** One that tells of each path once, also where it is on the way to several files. */
export function oncePerPath(tell: (why: string) => void): Distrust {
  const told = new Set<string>();
  return (why, path) => {
    if (told.has(path)) return;
    told.add(path);
    tell(why);
  };
}

/**
 * Reads a file that decides about trust. One that somebody other than root and the running user can
 * change or replace is refused (spec 2.5): the file, or a folder or link on the way to it.
 *
 * @returns undefined where there is no such file, nor a link that should lead to one
 * @throws Rejection `code`
 */
export function readTrustedFile(file: LocalFile): string | undefined {
  return readDistrustedFile(file, (why) => reject(file.code, why));
}

/** As {@link readTrustedFile}, where whoever reads it decides what to do about a file that others can change. */
export function readDistrustedFile({ path, code, what }: LocalFile, distrust: Distrust): string | undefined {
  let fd: number | undefined;
  try {
    const absolute = resolve(path);
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(absolute, constants.O_RDONLY | constants.O_NONBLOCK);
    const file = fstatSync(fd);
    if (!file.isFile()) reject(code, `${what} ${path} is not a regular file`);
    if (file.size > MAX_FILE) reject(code, `${what} ${path} has ${file.size} bytes, at most ${MAX_FILE} are read`);
    check(file, path, what, distrust);
    checkWay(absolute, `on the way to ${what},`, distrust);
    const text = fromUtf8(readFileSync(fd));
    return text ?? reject(code, `${what} ${path} is not UTF-8 text`);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    if (fd === undefined && hasCode(error, "ENOENT")) {
      if (isAbsent(resolve(path))) return undefined;
      reject(code, `${what} ${path} cannot be read: a link on the way to it leads nowhere`);
    }
    return unreadable({ path, code, what }, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * Lists a folder whose files decide about trust, and says if others can change it (spec 2.5). Other than one on the way to a file it must not be
 * writable by others even if it is sticky: they could add a hard link to a file of root's, which would
 * then be read as if root had put it there.
 *
 * @returns the names in it, undefined where there is no such folder
 * @throws Rejection `code`
 */
export function listFolder({ path, code, what }: LocalFile, distrust: Distrust): readonly string[] | undefined {
  try {
    const absolute = resolve(path);
    // Not by the error of opening it: a link that leads nowhere is a mistake, not an absence.
    if (lstatSync(absolute, { throwIfNoEntry: false }) === undefined) return undefined;
    checkWay(absolute, what, distrust);
    const folder = statSync(absolute);
    if (!folder.isDirectory()) reject(code, `${what} ${path} is not a folder`);
    if ((folder.mode & GROUP_OR_OTHERS_WRITE) !== 0) {
      distrust(`${what} ${path} can be written by others, sticky or not; run: chmod go-w ${path}`, absolute);
    }
    return readdirSync(absolute);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    return unreadable({ path, code, what }, error);
  }
}

/**
 * Whether nothing is meant to lie there. A link that leads nowhere is a mistake, not an absence: at the path itself,
 * and on the way to it.
 */
export function isAbsent(absolute: string): boolean {
  try {
    if (lstatSync(absolute, { throwIfNoEntry: false }) !== undefined) return false;
  } catch {
    return false; // It changes at this moment.
  }
  const folder = dirname(absolute);
  return existsSync(folder) || isAbsent(folder);
}

function unreadable({ path, code, what }: LocalFile, error: unknown): never {
  reject(code, `${what} ${path} cannot be read: ${(error as Error).message}`, error);
}

function check(stats: Stats, path: string, what: string, distrust: Distrust): void {
  const reason = replaceable(stats, path);
  if (reason !== undefined) distrust(`${what} ${reason}`, resolve(path));
}

function checkWay(absolute: string, what: string, distrust: Distrust): void {
  walk(absolute, (stats, path) => check(stats, path, what, distrust));
}
