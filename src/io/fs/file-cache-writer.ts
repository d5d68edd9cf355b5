import { lstat, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type PieceBounds, TEMPORARY } from "./file-cache.ts";
import { makeOwnFolder } from "./folders.ts";
import { checkWay } from "./trusted-path.ts";

/** A temporary name this old, in milliseconds, is what a killed process has left behind. */
const LEFT_BEHIND = 3_600_000;
/** Pieces that leave together when there are too many, as a share of all: so they are not all looked at for each new one. */
const LEAVE_TOGETHER = 1 / 64;

/**
 * Writes a piece: a reader finds the old content or the new. Where there are too many, the oldest make room.
 *
 * @param directory absolute path; made where it is missing and its parent is not
 * @param folder name of the folder in it
 * @param content made once it can be written; undefined: nothing is
 * @returns whether it is there now
 * @throws Error where that is impossible, or somebody else has a say in the folder
 */
export async function writePiece(
  directory: string,
  folder: string,
  name: string,
  content: () => Uint8Array | undefined,
  bounds: PieceBounds,
): Promise<boolean> {
  const path = await makeOwnFolder(directory, folder);
  await makeRoom(path, bounds.count);
  return replace(join(path, name), content);
}

/**
 * Takes away those whose name is meant.
 *
 * @param folder absolute path
 * @returns how many they were
 * @throws Error as {@link writePiece}, with the code ENOENT where there is no folder
 */
export async function removePieces(folder: string, isMeant: (name: string) => boolean): Promise<number> {
  checkWay(folder);
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
  const pieces = names.filter((name) => !TEMPORARY.test(name));
  if (pieces.length < count) return;
  const byAge = (await agesOf(folder, pieces)).toSorted((a, b) => a.mtime - b.mtime);
  const leaving = pieces.length - count + Math.ceil(count * LEAVE_TOGETHER);
  for (const { path } of byAge.slice(0, leaving)) await remove(path);
}

/** Not synced: after a power failure a piece may be empty, which is found when it is read. */
async function replace(path: string, content: () => Uint8Array | undefined): Promise<boolean> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  // Settings among the pieces may hold the password of a proxy.
  const file = await open(temporary, "wx", 0o600);
  try {
    const bytes = content();
    if (bytes === undefined) {
      await remove(temporary);
      return false;
    }
    await file.writeFile(bytes);
    // A folder in its place would stay for good.
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

/** What has gone in the meantime is left out. */
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
