import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { check, checkWay } from "../disk/trusted-way.ts";

/** Neither is a link followed, nor waited for the reader of a named pipe. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What pulls a node makes is nobody's business but root's and its group's. */
const FILE_MODE = 0o640;

/**
 * Appends one line. It is whole among those of other processes: the kernel puts each write at the end. The
 * file is opened for each line, so that it can be moved away at any time.
 *
 * @param path absolute; its folder is not made
 * @throws Error where it cannot be, or somebody but root and the running user has a say in the file; with the
 *   code ENOENT where there is no folder
 */
export function appendLine(path: string, line: string): void {
  checkWay(dirname(path));
  const file = openSync(path, FLAGS, FILE_MODE);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
    check(stats, path);
    const bytes = Buffer.from(line);
    const written = writeSync(file, bytes);
    if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written to ${path}`);
  } finally {
    closeSync(file);
  }
}
