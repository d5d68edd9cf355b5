import { writeSync } from "node:fs";
import { withoutCommands } from "../../core/encoding/printable.ts";

const STDOUT = 1;
const STDERR = 2;

/** Writes to standard output. @throws a file system error; EPIPE if the reader has closed the pipe */
export function writeOutput(text: string): void {
  writeAll(STDOUT, text);
}

/** Reports why writing failed, in one line: a full disk is not a bug that needs a stack trace. */
export function sayUnwritten(error: unknown): void {
  const said = error instanceof Error ? error.message : String(error);
  // As Node and Bun word it: `ENOSPC: no space left on device, write`.
  const [, why = said] = /^[A-Z0-9]+: (.*?)(?:, write)?$/s.exec(said) ?? [];
  diagnose(`standard output could not be written: ${why}`);
}

/** Writes a line to standard error, which containerd shows only in its debug log, and a pipeline reads for commands. */
export function diagnose(text: string): void {
  try {
    writeAll(STDERR, `${withoutCommands(text)}\n`);
  } catch {
    // Standard error is closed: there is nowhere to report it.
  }
}

/** Writes all of it: a pipe may accept only part at a time. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
