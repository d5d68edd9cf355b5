import { writeSync } from "node:fs";

const STDOUT = 1;
const STDERR = 2;

/** Writes what was asked for. @throws an error of the file system, EPIPE where the reader has gone away */
export function writeOutput(text: string): void {
  writeAll(STDOUT, text);
}

/** Says why that failed, in one line: a full disk is no bug that needs a stack. */
export function sayUnwritten(error: unknown): void {
  const said = error instanceof Error ? error.message : String(error);
  // As Node and Bun word it: `ENOSPC: no space left on device, write`.
  const [, why = said] = /^[A-Z0-9]+: (.*?)(?:, write)?$/s.exec(said) ?? [];
  diagnose(`standard output could not be written: ${why}`);
}

/** Writes a diagnostic line to standard error, which containerd shows in its debug log only. */
export function diagnose(text: string): void {
  try {
    writeAll(STDERR, `${text}\n`);
  } catch {
    // Nobody is listening.
  }
}

/** All of it: a pipe may take only a part at a time. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
