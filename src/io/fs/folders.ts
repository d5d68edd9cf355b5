import { access, constants, mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "./error-code.ts";
import { assertPathTrusted } from "./trusted-path.ts";

/**
 * Creates a folder that only root and the running user can change, with its parents down from `directory`, whose own
 * parent must exist.
 *
 * @returns its path
 * @throws Error as checkWay
 */
export async function makeOwnFolder(directory: string, ...names: readonly string[]): Promise<string> {
  const path = join(directory, ...names);
  const all = [directory, ...names.map((_, i) => join(directory, ...names.slice(0, i + 1)))];
  // Checked before, so that nothing is created where others could redirect us.
  try {
    assertPathTrusted(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  for (const folder of all) {
    if ((await makeFolder(folder)) && folder === directory) await syncFolder(dirname(directory));
  }
  // And after, as others may have changed the path meanwhile.
  assertPathTrusted(path);
  return path;
}

/**
 * Why files cannot be kept in a folder, which is created where only it is missing.
 *
 * @returns a clause; undefined where nothing is in the way
 */
export async function whyUnusable(directory: string): Promise<string | undefined> {
  try {
    await access(await makeOwnFolder(directory), constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Syncs a folder, so that new entries survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** @returns whether it was created */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o755 });
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false; // if it is no folder, the check afterwards fails
    throw error;
  }
}
