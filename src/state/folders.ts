import { lstat, mkdir, open } from "node:fs/promises";

/** Errors of the file system that mean something to the caller. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

/**
 * Makes a folder in one that is there.
 *
 * @returns whether it was not there before
 * @throws Error of the file system
 */
export async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o755 });
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST") && (await lstat(path)).isDirectory()) return false;
    throw error;
  }
}

/** Has what was made in a folder survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
