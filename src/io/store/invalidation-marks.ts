import { lstatSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Did } from "../../core/atproto/syntax.ts";
import { type Aged, isInvalidated, type Mark, readMark } from "../../core/verify/invalidation.ts";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import { hashOf } from "./evidence-files.ts";

/** Names that are read of one subject; more are not this program's. */
const MAX_NAMES = 16_384;
export const MARKS = "marks";
/** The subject whose marks count for every other. */
export const EVERYBODY = "everybody";
/** The subject that all handles are addresses of: they stand in names of images, and anybody chooses those. */
export const HANDLES = "handles";

/**
 * Marks (core/verify/invalidation.ts) in a folder for each subject: a signer, or all handles. Reading waits for the disk and makes
 * nothing; what writes is imported when something is written.
 */
export class Marks {
  readonly #directory: string;
  readonly #warn: Warn;

  /** @param directory cacheDir. @param warn of `cache.unusable` and `cache.not_invalidated` */
  constructor(directory: string, warn: Warn) {
    this.#directory = directory;
    this.#warn = warn;
  }

  /** Whether marks end one of these parts; where marks cannot be read, all evidence of the subject is over. */
  areInvalidated(subject: Did | typeof HANDLES, parts: readonly Aged[]): boolean {
    try {
      const marks = this.of(folderOf(subject), ...parts.flatMap(({ address }) => address ?? []));
      return parts.some((part) => isInvalidated(marks, part));
    } catch (error) {
      const message = `nothing cached of ${subject} is used: ${(error as Error).message}`;
      this.#warn({ code: "cache.unusable", message });
      return true;
    }
  }

  /** Adds a mark; that it cannot be is reported. */
  async end(subject: Did | typeof HANDLES | typeof EVERYBODY, mark: Mark): Promise<void> {
    try {
      await this.add(folderOf(subject), mark);
    } catch (error) {
      const message = `could not record that cached evidence is out of date: ${(error as Error).message}`;
      this.#warn({ code: "cache.not_invalidated", message });
    }
  }

  /**
   * The marks that may end evidence of a subject, as a whole and of these addresses.
   *
   * @throws Error where it cannot be told: then no evidence of that subject is to be used
   */
  of(subject: string, ...addresses: readonly string[]): readonly Mark[] {
    // The subject first: its marks are taken away only after one for everybody has been made.
    return [subject, EVERYBODY].flatMap((name) => this.#read(name, addresses));
  }

  /** @throws Error where that is impossible */
  async add(subject: string, mark: Mark): Promise<void> {
    const { addMark } = await import("./invalidation-writer.ts");
    await addMark(this.#directory, subject, mark);
  }

  #read(subject: string, addresses: readonly string[]): readonly Mark[] {
    const folder = `${this.#directory}/${MARKS}/${subject}`;
    const names = namesIn(folder);
    if (names.length > MAX_NAMES)
      throw new Error(`${folder} has ${names.length} entries, at most ${MAX_NAMES} are read`);
    const beginnings = ["all", ...addresses].map((address) => `${address}-`);
    const about = names.filter((name) => beginnings.some((beginning) => name.startsWith(beginning)));
    return about.map((name) => {
      const mark = readMark(name);
      if (mark === undefined) throw new Error(`${folder}/${name} is no mark`);
      return mark;
    });
  }
}

function folderOf(subject: Did | typeof HANDLES | typeof EVERYBODY): string {
  return subject === HANDLES || subject === EVERYBODY ? subject : hashOf(subject);
}

/** @throws Error where somebody else can write there, or it cannot be read; a folder that is not there is empty */
function namesIn(folder: string): readonly string[] {
  try {
    assertPathTrusted(folder);
    return readdirSync(folder);
  } catch (error) {
    // A link to nowhere is there: nothing can be written behind it.
    if (hasCode(error, "ENOENT") && !isLink(folder) && !isLink(dirname(folder))) return [];
    throw error;
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}
