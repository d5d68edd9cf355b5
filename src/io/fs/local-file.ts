import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { fromUtf8 } from "../../core/encoding/bytes.ts";
import { Rejection, type RejectionCode, reject } from "../../core/rejection.ts";
import { hasCode } from "./error-code.ts";
import { isOnReadOnlyMount } from "./mounts.ts";
import { untrustedReason, walk } from "./trusted-path.ts";

const GROUP_OR_OTHERS_WRITE = 0o022;
/** Bytes; real policies and configurations are far smaller. */
export const MAX_FILE = 1024 * 1024;

/** A file, and how messages and codes refer to it. */
export interface LocalFile {
  readonly path: string;
  readonly code: RejectionCode;
  /** `the trust policy` */
  readonly what: string;
  /** Most bytes of it; absent: {@link MAX_FILE}. */
  readonly max?: number;
}

/**
 * Called with each file, folder or link that someone other than root and the running user can change, and what to do;
 * may throw. May be called twice for one path.
 *
 * @param path absolute
 */
export type OnUntrusted = (why: string, path: string) => void;

/** A {@link OnUntrusted} that reports each path once, even if several files are below it. */
export function oncePerPath(report: (why: string) => void): OnUntrusted {
  const told = new Set<string>();
  return (why, path) => {
    if (told.has(path)) return;
    told.add(path);
    report(why);
  };
}

/**
 * Reads a file that decides about trust. It is rejected if anyone other than root and the running user can change the
 * file or any folder or link of its path (spec 2.5).
 *
 * @returns undefined where there is no such file, and no dangling link either
 * @throws Rejection `code`
 */
export function readTrustedFile(file: LocalFile): string | undefined {
  return readPossiblyUntrustedFile(file, (why) => reject(file.code, why));
}

/** Like {@link readTrustedFile}, but the caller decides what to do about a file that others can change. */
export function readPossiblyUntrustedFile(
  { path, code, what, max = MAX_FILE }: LocalFile,
  onUntrusted: OnUntrusted,
): string | undefined {
  let fd: number | undefined;
  try {
    const absolute = resolve(path);
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(absolute, constants.O_RDONLY | constants.O_NONBLOCK);
    const file = fstatSync(fd);
    if (!file.isFile()) reject(code, `${what} ${path} is not a regular file`);
    if (file.size > max) reject(code, `${what} ${path} has ${file.size} bytes, at most ${max} are read`);
    check(file, path, what, onUntrusted);
    assertPathTrusted(absolute, `the path to ${what}:`, onUntrusted);
    const text = fromUtf8(readFileSync(fd));
    return text ?? reject(code, `${what} ${path} is not UTF-8 text`);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    if (fd === undefined && hasCode(error, "ENOENT")) {
      if (isAbsent(resolve(path))) return undefined;
      reject(code, `${what} ${path} cannot be read: its path has a dangling symlink`);
    }
    return unreadable({ path, code, what }, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * Lists a folder whose files decide about trust; {@link isFolderThere} checks it.
 *
 * @returns the names in it; undefined where there is no such folder
 * @throws Rejection `code`
 */
export function listFolder(folder: LocalFile, onUntrusted: OnUntrusted): readonly string[] | undefined {
  if (!isFolderThere(folder, onUntrusted)) return undefined;
  try {
    return readdirSync(resolve(folder.path));
  } catch (error) {
    return unreadable(folder, error);
  }
}

/**
 * Whether there is this folder, whose files decide about trust; reports whether others can change it (spec 2.5). Unlike a
 * folder in a file's path, it must not be writable by others even if it is sticky: they could add a hard link to one of
 * root's files, which would then be read as if root had put it there.
 *
 * @throws Rejection `code`
 */
export function isFolderThere({ path, code, what }: LocalFile, onUntrusted: OnUntrusted): boolean {
  try {
    const absolute = resolve(path);
    // Not by the error of opening it: a dangling link is a mistake, not an absence.
    if (lstatSync(absolute, { throwIfNoEntry: false }) === undefined) return false;
    assertPathTrusted(absolute, what, onUntrusted);
    const folder = statSync(absolute);
    if (!folder.isDirectory()) reject(code, `${what} ${path} is not a folder`);
    if ((folder.mode & GROUP_OR_OTHERS_WRITE) !== 0 && !isOnReadOnlyMount(realpathSync(absolute))) {
      onUntrusted(
        `${what} ${path} can be written by others (the sticky bit is not enough here); run: chmod go-w ${path}`,
        absolute,
      );
    }
    return true;
  } catch (error) {
    if (error instanceof Rejection) throw error;
    return unreadable({ path, code, what }, error);
  }
}

/**
 * Whether the path is really absent. A dangling link, at the path itself or above it, is a mistake and not an absence.
 */
export function isAbsent(absolute: string): boolean {
  try {
    if (lstatSync(absolute, { throwIfNoEntry: false }) !== undefined) return false;
  } catch {
    return false; // It is changing right now.
  }
  const folder = dirname(absolute);
  return existsSync(folder) || isAbsent(folder);
}

function unreadable({ path, code, what }: LocalFile, error: unknown): never {
  reject(code, `${what} ${path} cannot be read: ${(error as Error).message}`, error);
}

function check(stats: Stats, path: string, what: string, onUntrusted: OnUntrusted): void {
  const reason = untrustedReason(stats, path);
  if (reason !== undefined) onUntrusted(`${what} ${reason}`, resolve(path));
}

function assertPathTrusted(absolute: string, what: string, onUntrusted: OnUntrusted): void {
  walk(absolute, (stats, path) => check(stats, path, what, onUntrusted));
}
