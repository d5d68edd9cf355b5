import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "./error-code.ts";
import { checkWay } from "./trusted-path.ts";

/**
 * Makes a folder that nobody else has a say in, and those between it and `directory`, whose own parent must
 * be there.
 *
 * @returns its path
 * @throws Error as checkWay
 */
export async function makeOwnFolder(directory: string, ...names: readonly string[]): Promise<string> {
  const path = join(directory, ...names);
  const all = [directory, ...names.map((_, i) => join(directory, ...names.slice(0, i + 1)))];
  // Before, so that nothing is made where others lead us to.
  try {
    checkWay(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  for (const folder of all) {
    if ((await makeFolder(folder)) && folder === directory) await syncFolder(dirname(directory));
  }
  // And after, for others may have been faster.
  checkWay(path);
  return path;
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

/** @returns whether it was not there before */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o755 });
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false; // what is no folder is found out below
    throw error;
  }
}
