import { lstat, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type CacheBounds, TEMPORARY } from "./file-cache.ts";
import { makeOwnFolder } from "./folders.ts";
import { assertPathTrusted } from "./trusted-path.ts";

/** A temporary file older than this, in milliseconds, was left behind by a killed process. */
const LEFT_BEHIND = 3_600_000;
/** Fraction of entries removed at once when the folder is full, so that not every write has to list them all. */
const LEAVE_TOGETHER = 1 / 64;

/**
 * Writes an entry atomically: a reader finds the old content or the new. If the folder is full, the oldest entries are
 * removed.
 *
 * @param directory absolute path; created if it is missing and its parent exists
 * @param folder name of the folder in it
 * @param content made once it can be written; undefined: nothing is
 * @returns whether it was written
 * @throws Error where that fails, or someone else can change the folder
 */
export async function writeCacheFile(
  directory: string,
  folder: string,
  name: string,
  content: () => Uint8Array | undefined,
  bounds: CacheBounds,
): Promise<boolean> {
  const path = await makeOwnFolder(directory, folder);
  await makeRoom(path, bounds.count);
  return replace(join(path, name), content);
}

/**
 * Removes the selected entries.
 *
 * @param folder absolute path
 * @returns their number
 * @throws Error like {@link writeCacheFile}, with the code ENOENT where there is no folder
 */
export async function removeCacheFiles(folder: string, isMeant: (name: string) => boolean): Promise<number> {
  assertPathTrusted(folder);
  const names = (await readdir(folder)).filter(isMeant);
  for (const name of names) await remove(join(folder, name));
  return names.length;
}

async function makeRoom(folder: string, count: number): Promise<void> {
  const names = await readdir(folder);
  const temporary = names.filter((name) => TEMPORARY.test(name));
  for (const { path, mtime } of await agesOf(folder, temporary)) {
    if (mtime < Date.now() - LEFT_BEHIND) await remove(path);
  }
  const files = names.filter((name) => !TEMPORARY.test(name));
  if (files.length < count) return;
  const byAge = (await agesOf(folder, files)).toSorted((a, b) => a.mtime - b.mtime);
  const leaving = files.length - count + Math.ceil(count * LEAVE_TOGETHER);
  for (const { path } of byAge.slice(0, leaving)) await remove(path);
}

/** Not synced: after a power failure an entry may be empty, which is detected when it is read. */
async function replace(path: string, content: () => Uint8Array | undefined): Promise<boolean> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  // Cached settings may contain the password of a proxy.
  const file = await open(temporary, "wx", 0o600);
  try {
    const bytes = content();
    if (bytes === undefined) {
      await remove(temporary);
      return false;
    }
    await file.writeFile(bytes);
    // rename does not replace a folder.
    if (await isFolder(path)) await remove(path);
    await rename(temporary, path);
    return true;
  } catch (error) {
    await remove(temporary);
    throw error;
  } finally {
    await file.close();
  }
}

/** Skips files that are gone by now. */
async function agesOf(folder: string, names: readonly string[]): Promise<readonly { path: string; mtime: number }[]> {
  const found = names.map(async (name) => {
    const path = join(folder, name);
    const stats = await lstat(path).catch(() => undefined);
    return stats === undefined ? [] : [{ path, mtime: stats.mtimeMs }];
  });
  return (await Promise.all(found)).flat();
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true;
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
