import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** The running program, even if its file was replaced. */
const RUNNING = "/proc/self/exe";
/** The running program, and the paths where packages and `make install` install it. */
const INSTALLED = [RUNNING, "/usr/bin/atcr-verify", "/usr/local/bin/atcr-verify"];
/** Bytes that are compared at a time. */
const CHUNK = 1024 * 1024;

/**
 * The program that a file is a byte-for-byte copy of: this one, or an installed one. The file is read, never executed.
 *
 * @param path of the file, all links followed
 * @param program path of this one
 * @returns its path; undefined if the file is not a copy
 */
export function copyOf(path: string, program: string): string | undefined {
  const original = [program, ...INSTALLED].find((other) => other !== path && hasSameBytes(path, other));
  return original === RUNNING ? program : original;
}

/** False if one cannot be read. Sizes are compared first, so that other verifiers are not read at all. */
function hasSameBytes(one: string, other: string): boolean {
  const open: number[] = [];
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    for (const path of [one, other]) open.push(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    const [a, b] = open.map((fd) => fstatSync(fd));
    if (a === undefined || b === undefined || !a.isFile() || !b.isFile() || a.size !== b.size || a.size === 0)
      return false;
    const [left, right] = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)];
    for (let at = 0; at < a.size; at += CHUNK) {
      const [m, n] = [left, right].map((buffer, i) => readWhole(open[i] ?? -1, buffer, at));
      if (m !== n || !left.subarray(0, m).equals(right.subarray(0, n))) return false;
    }
    return true;
  } catch {
    return false;
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** Fills the buffer as far as the file goes. @returns bytes read */
function readWhole(fd: number, buffer: Buffer, at: number): number {
  let length = 0;
  for (;;) {
    const read = readSync(fd, buffer, length, buffer.length - length, at + length);
    length += read;
    if (read === 0 || length === buffer.length) return length;
  }
}
