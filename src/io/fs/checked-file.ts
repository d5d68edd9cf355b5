import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { Rejection } from "../../core/rejection.ts";

/**
 * Reads a regular file whose owner and mode must be right.
 *
 * @param max bytes; a larger file is not read
 * @param not throws a Rejection with the reason
 * @param check calls `not` where the opened file must not be used
 */
export function readCheckedFile(
  path: string,
  max: number,
  not: (why: string, cause?: unknown) => never,
  check: (stats: Stats) => void,
): Buffer {
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    if (!stats.isFile()) not("it is not a regular file");
    if (stats.size > max) not(`it has ${stats.size} bytes, expected at most ${max}`);
    check(stats);
    return readFileSync(fd);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    return not((error as Error).message, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Permissions as people write them: `0644`. */
export function octal(permissions: number): string {
  return permissions.toString(8).padStart(4, "0");
}
