import { closeSync, constants, fstatSync, openSync, readSync, type Stats, writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import { check } from "../fs/trusted-path.ts";

/** Follows no link, and does not wait for the reader of a named pipe. */
const FILE_FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Only root and its group may see which images a node pulls. */
const FILE_MODE = 0o640;
const GROUP_OR_OTHERS_WRITE = 0o022;
const NEWLINE = 0x0a;

/**
 * Appends one line, atomically with O_APPEND. The file is opened for each line, so that it can be rotated at any time.
 *
 * Only root and the running user may write to the folder and the file. The folders above are not checked: on some
 * distributions a group may write to /var/log. Therefore the folder must not be a link, and it is used through its open
 * descriptor, so that it cannot be replaced after the check.
 *
 * @param path absolute; its folder is not created
 * @throws Error where that fails; with the code ENOENT where there is no folder
 */
export function appendLine(path: string, line: string): void {
  withLog(path, constants.O_CREAT, (file, stats) => {
    // Start a new line after one that a full disk has cut off.
    const bytes = Buffer.from(endsInLine(file, stats) ? line : `\n${line}`);
    const written = writeSync(file, bytes);
    if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written to ${path}`);
  });
}

/**
 * Whether lines can be appended, without doing so.
 *
 * @throws Error as {@link appendLine}; with the code ENOENT also where there is no file yet
 */
export function checkLog(path: string): void {
  withLog(path, 0, () => {});
}

function withLog(path: string, flags: number, use: (file: number, stats: Stats) => void): void {
  const folder = openSync(dirname(path), FOLDER_FLAGS);
  try {
    const { mode } = check(fstatSync(folder), dirname(path));
    // Even if sticky: others could put a link to one of root's files there.
    if ((mode & GROUP_OR_OTHERS_WRITE) !== 0)
      throw new Error(`${dirname(path)} can be written by others; use a folder that only root can write to`);
    const file = openSync(`/proc/self/fd/${folder}/${basename(path)}`, FILE_FLAGS | flags, FILE_MODE);
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
      use(file, check(stats, path));
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(folder);
  }
}

function endsInLine(file: number, { size }: Stats): boolean {
  const last = Buffer.alloc(1);
  return size === 0 || readSync(file, last, 0, 1, size - 1) === 0 || last[0] === NEWLINE;
}
