import { constants } from "node:fs";
import { lstat, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { hasCode, makeOwnFolder } from "./folders.ts";
import { check, checkWay } from "./trusted-way.ts";

/** A temporary name this old, in milliseconds, is what a killed process has left behind. */
const LEFT_BEHIND = 3_600_000;
/** Pieces that leave together when there are too many, as a share of all: so they are not all looked at for each new one. */
const LEAVE_TOGETHER = 1 / 64;
/** What {@link Pieces.write} writes to before the piece has its name. */
const TEMPORARY = /\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** How much a folder of pieces holds at most. */
export interface PieceBounds {
  /** Bytes of one. */
  readonly bytes: number;
  /** Of all; the oldest makes room for one more. */
  readonly count: number;
}

/** A piece as it lies on the disk. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly writtenAt: number;
}

/**
 * A folder of files that may be lost at any time, each of which is there whole or not at all, and never
 * too many. It is used only where nobody but root and the running user has a say in it (spec 2.5).
 *
 * Nothing that lies on the disk makes it throw: it is reported, and then it is as if nothing were there.
 */
export class Pieces {
  readonly #directory: string;
  readonly #name: string;
  readonly #bounds: PieceBounds;
  readonly #report: (warning: string) => void;

  /**
   * @param directory absolute path; made where it is missing and its parent is not
   * @param name of the folder in it
   * @param report told what is wrong: one sentence, unprintable characters included
   */
  constructor(directory: string, name: string, bounds: PieceBounds, report: (warning: string) => void) {
    this.#directory = directory;
    this.#name = name;
    this.#bounds = bounds;
    this.#report = report;
  }

  /** Absolute path of a piece. */
  pathOf(name: string): string {
    return join(this.#directory, this.#name, name);
  }

  /** @returns undefined where there is none, or none that can be used */
  async read(name: string): Promise<Piece | undefined> {
    const path = this.pathOf(name);
    try {
      await checkWay(join(this.#directory, this.#name));
      return await this.#readAt(path);
    } catch (error) {
      // What cannot be read stays until it is replaced: it may be of a later version.
      if (!hasCode(error, "ENOENT")) this.damaged(name, (error as Error).message);
      return undefined;
    }
  }

  /** For whoever finds that what a piece says cannot be used. */
  damaged(name: string, why: string): void {
    this.#report(`${this.pathOf(name)} is not used: ${why}`);
  }

  /** A reader finds the old content or the new. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.pathOf(name);
    try {
      if (bytes.length > this.#bounds.bytes) {
        throw new Error(`it has ${bytes.length} bytes, at most ${this.#bounds.bytes} are kept`);
      }
      const folder = await makeOwnFolder(this.#directory, this.#name);
      await this.#makeRoom(folder);
      await replace(path, bytes);
    } catch (error) {
      this.#report(`${path} is not written: ${(error as Error).message}`);
    }
  }

  /** Takes pieces away by their names. */
  async remove(...names: readonly string[]): Promise<void> {
    await this.#removing(async () => {
      for (const name of names) await remove(this.pathOf(name));
    });
  }

  /** Takes away those whose name is meant. @returns how many they were */
  async removeWhere(isMeant: (name: string) => boolean): Promise<number> {
    let count = 0;
    await this.#removing(async (folder) => {
      for (const name of await readdir(folder)) {
        if (!isMeant(name)) continue;
        await remove(join(folder, name));
        count++;
      }
    });
    return count;
  }

  /** Names of all pieces, in no order. */
  async list(): Promise<readonly string[]> {
    const folder = join(this.#directory, this.#name);
    try {
      await checkWay(folder);
      return (await readdir(folder)).filter((name) => !TEMPORARY.test(name));
    } catch (error) {
      if (!hasCode(error, "ENOENT")) this.#report(`${folder} is not used: ${(error as Error).message}`);
      return [];
    }
  }

  async #removing(work: (folder: string) => Promise<void>): Promise<void> {
    const folder = join(this.#directory, this.#name);
    try {
      await checkWay(folder);
      await work(folder);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      this.#report(`what lies in ${folder} is not removed: ${(error as Error).message}`);
    }
  }

  /** @throws Error where it is not there, or not as this program wrote it */
  async #readAt(path: string): Promise<Piece> {
    // Neither is a link followed, nor waited for the writer of a named pipe.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new Error("it is not a regular file");
      check(stats, path);
      const { bytes } = this.#bounds;
      if (stats.size > bytes) throw new Error(`it has ${stats.size} bytes, at most ${bytes} are read`);
      return { bytes: await file.readFile(), writtenAt: stats.mtimeMs };
    } finally {
      await file.close();
    }
  }

  async #makeRoom(folder: string): Promise<void> {
    const names = await readdir(folder);
    for (const { path, mtime } of await agesOf(
      folder,
      names.filter((name) => TEMPORARY.test(name)),
    )) {
      if (mtime < Date.now() - LEFT_BEHIND) await remove(path);
    }
    const pieces = names.filter((name) => !TEMPORARY.test(name));
    const { count } = this.#bounds;
    if (pieces.length < count) return;
    const byAge = (await agesOf(folder, pieces)).toSorted((a, b) => a.mtime - b.mtime);
    const leaving = pieces.length - count + Math.ceil(count * LEAVE_TOGETHER);
    for (const { path } of byAge.slice(0, leaving)) await remove(path);
  }
}

/** Not synced: after a power failure a piece may be empty, which is found when it is read. */
async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  // Settings among them may hold the password of a proxy.
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(bytes);
    // A folder in its place would stay for good.
    if (await isFolder(path)) await remove(path);
    await rename(temporary, path);
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
