import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import { check } from "../disk/trusted-way.ts";

/** Neither is a link followed, nor waited for the reader of a named pipe. */
const FILE_FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** What pulls a node makes is nobody's business but root's and its group's. */
const FILE_MODE = 0o640;

/**
 * Appends one line. It is whole among those of other processes: the kernel puts each write at the end. The
 * file is opened for each line, so that it can be moved away at any time.
 *
 * Folder and file must be root's or the running user's, and nobody else's to write to. The folders above them
 * need not: on some distributions a group may write to /var/log. So neither is the folder a link, nor can
 * another be put in its place once it has been looked at.
 *
 * @param path absolute; its folder is not made
 * @throws Error where it cannot be; with the code ENOENT where there is no folder
 */
export function appendLine(path: string, line: string): void {
  const folder = openSync(dirname(path), FOLDER_FLAGS);
  try {
    check(fstatSync(folder), dirname(path));
    append(`/proc/self/fd/${folder}/${basename(path)}`, path, Buffer.from(line));
  } finally {
    closeSync(folder);
  }
}

/** @param inFolder the path by the open folder @param path for messages */
function append(inFolder: string, path: string, bytes: Uint8Array): void {
  const file = openSync(inFolder, FILE_FLAGS, FILE_MODE);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
    check(stats, path);
    const written = writeSync(file, bytes);
    if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written to ${path}`);
  } finally {
    closeSync(file);
  }
}
