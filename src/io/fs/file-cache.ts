import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "./error-code.ts";
import { assertPathTrusted, check } from "./trusted-path.ts";

/** Suffix of a file while it is being written. */
export const TEMPORARY = /\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Limits of a cache folder. */
export interface CacheBounds {
  /** Bytes of one entry. */
  readonly bytes: number;
  /** Number of entries; the oldest are removed for new ones. */
  readonly count: number;
}

/** What pieces are written with, so that nothing is read but what was written, in this place. */
export interface Seal {
  /** Bytes by which a file is longer than its piece. */
  readonly length: number;
  /** @param place folder and name, as in `evidence/NAME`. @returns the file; undefined where none may be written */
  seal(place: string, entry: Uint8Array): Uint8Array | undefined;
  /** @returns the piece; undefined where none may be read, or the file is not what was written in this place; it has warned of that */
  unseal(place: string, file: Uint8Array): Uint8Array | undefined;
}

/** For pieces that may say anything without anything being decided by it. */
export const UNSEALED: Seal = { length: 0, seal: (_, entry) => entry, unseal: (_, file) => file };

/**
 * A folder of files that may be deleted at any time; their number is bounded, and each is written atomically. It is used
 * only if no one but root and the running user can change it (spec 2.5).
 *
 * Never throws because of what is on the disk: that is reported and treated as absent. Reads are synchronous, as
 * asynchronous ones would double the time of a pull answered from the cache; the writer is imported on demand.
 */
export class FileCache {
  readonly #directory: string;
  readonly #name: string;
  readonly #bounds: CacheBounds;
  readonly #seal: Seal;
  readonly #warn: Warn;

  /**
   * @param directory absolute path; created if it is missing and its parent exists
   * @param name of the folder in it
   * @param warn receives `access.denied`, `cache.unusable` and `cache.not_written`
   */
  constructor(directory: string, name: string, bounds: CacheBounds, seal: Seal, warn: Warn) {
    this.#directory = directory;
    this.#name = name;
    this.#bounds = bounds;
    this.#seal = seal;
    this.#warn = warn;
  }

  /** Absolute path of the folder. */
  get folder(): string {
    return `${this.#directory}/${this.#name}`;
  }

  /** @returns undefined where there is no usable entry */
  read(name: string): Uint8Array | undefined {
    try {
      assertPathTrusted(this.folder);
      return this.#seal.unseal(this.#placeOf(name), this.#readAt(`${this.folder}/${name}`));
    } catch (error) {
      // An unreadable entry stays until it is replaced: it may be from a later version.
      if (!hasCode(error, "ENOENT")) this.damaged(name, (error as Error).message, error);
      return undefined;
    }
  }

  /** Reports an entry whose content cannot be used. */
  damaged(name: string, why: string, cause?: unknown): void {
    this.#notUsed(`${this.folder}/${name}`, why, cause);
  }

  /** Whether an entry of this size may be written; reports it if not. */
  hasRoomFor(name: string, size: number): boolean {
    const isSmall = size <= this.#bounds.bytes;
    if (!isSmall) this.#notWritten(name, tooLarge(size, this.#bounds));
    return isSmall;
  }

  /** @returns whether it is there now */
  async write(name: string, bytes: Uint8Array): Promise<boolean> {
    try {
      if (bytes.length > this.#bounds.bytes) throw new Error(tooLarge(bytes.length, this.#bounds));
      const { writeCacheFile } = await import("./file-cache-writer.ts");
      const file = () => this.#seal.seal(this.#placeOf(name), bytes);
      return await writeCacheFile(this.#directory, this.#name, name, file, this.#bounds);
    } catch (error) {
      this.#notWritten(name, (error as Error).message);
      return false;
    }
  }

  /** Removes the selected entries. @returns their number */
  async remove(isMeant: (name: string) => boolean): Promise<number> {
    try {
      const { removeCacheFiles } = await import("./file-cache-writer.ts");
      return await removeCacheFiles(this.folder, isMeant);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) {
        const message = `files in ${this.folder} cannot be removed: ${(error as Error).message}`;
        this.#warn({ code: "cache.not_written", message });
      }
      return 0;
    }
  }

  /** Names of all entries, in no order. */
  list(): readonly string[] {
    try {
      assertPathTrusted(this.folder);
      return readdirSync(this.folder).filter((name) => !TEMPORARY.test(name));
    } catch (error) {
      if (!hasCode(error, "ENOENT")) this.#notUsed(this.folder, (error as Error).message, error);
      return [];
    }
  }

  /** Missing permission has a code of its own: a user who lists root's cache gets it for each file. */
  #notUsed(path: string, why: string, cause: unknown): void {
    const code = hasCode(cause, "EACCES") ? "access.denied" : "cache.unusable";
    this.#warn({ code, message: `${path} is not used: ${why}` });
  }

  #notWritten(name: string, why: string): void {
    this.#warn({ code: "cache.not_written", message: `${this.folder}/${name} is not written: ${why}` });
  }

  #placeOf(name: string): string {
    return `${this.#name}/${name}`;
  }

  /** @throws Error where it is not there, or nothing that this program writes */
  #readAt(path: string): Uint8Array {
    // Follows no link, and does not wait for the writer of a named pipe.
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw new Error("it is not a regular file");
      check(stats, path);
      const most = this.#bounds.bytes + this.#seal.length;
      if (stats.size > most) throw new Error(`it has ${stats.size} bytes, at most ${most} are read`);
      return readFileSync(file);
    } finally {
      closeSync(file);
    }
  }
}

function tooLarge(size: number, { bytes }: CacheBounds): string {
  return `it has ${size} bytes, at most ${bytes} are cached`;
}
