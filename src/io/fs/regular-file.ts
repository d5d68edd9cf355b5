import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { hasCode } from "./error-code.ts";

/** Why a file was not read. */
export interface Unread {
  readonly isAbsent: boolean;
  readonly why: string;
}

/**
 * Reads a system file, of any owner, as Latin-1: its comments may be in any encoding.
 *
 * @param max bytes; a larger file is not read
 */
export function readRegularFile(path: string, max: number): string | Unread {
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    if (!stats.isFile()) return { isAbsent: false, why: "it is not a regular file" };
    if (stats.size > max) return { isAbsent: false, why: `it has more than ${max} bytes` };
    return readFileSync(fd, "latin1");
  } catch (error) {
    return { isAbsent: hasCode(error, "ENOENT"), why: (error as Error).message };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
