import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isJsonObject, type JsonObject } from "../../core/encoding/json.ts";
import { hasCode } from "../fs/error-code.ts";

/** Bytes read from the end of a log at most: some ten thousand decisions. */
const MAX_TAIL = 16 * 1024 * 1024;

/** A position in a log, to continue from. */
export interface LogPosition {
  /** Identifies the file even after it was renamed. */
  readonly inode: number;
  readonly offset: number;
}

export interface Read {
  /** Complete lines, each one logged decision. */
  readonly decisions: readonly JsonObject[];
  /** Number of lines that are not decisions. */
  readonly unreadable: number;
  readonly place: LogPosition;
}

/**
 * Reads the end of a log, or what follows a position; from the start if the file was replaced or truncated.
 *
 * @param path absolute, of a regular file; links are followed
 * @returns undefined where there is no log
 * @throws Error where it cannot be read
 */
export function readLog(path: string, after?: LogPosition): Read | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    const { size, ino } = checkedStats(file, path);
    const goesOn = after?.inode === ino && after.offset <= size;
    const begin = goesOn ? Math.max(after.offset, size - MAX_TAIL) : Math.max(0, size - MAX_TAIL);
    const bytes = readRange(file, begin, size);
    // A line without its end is still being written; one without its beginning is skipped.
    const end = bytes.lastIndexOf(0x0a) + 1;
    const isCut = begin > 0 && !(goesOn && begin === after.offset);
    const lines = bytes
      .subarray(0, end)
      .toString("utf8")
      .split("\n")
      .slice(isCut ? 1 : 0, -1);
    const decisions = lines.map(parse).filter((decision) => decision !== undefined);
    const place = { inode: ino, offset: begin + end };
    return { decisions, unreadable: lines.length - decisions.length, place };
  } finally {
    closeSync(file);
  }
}

function checkedStats(file: number, path: string) {
  const stats = fstatSync(file);
  if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
  return stats;
}

function readRange(file: number, begin: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - begin);
  let at = 0;
  while (at < bytes.length) {
    const read = readSync(file, bytes, at, bytes.length - at, begin + at);
    if (read === 0) break;
    at += read;
  }
  return bytes.subarray(0, at);
}

function parse(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) && typeof value["outcome"] === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
