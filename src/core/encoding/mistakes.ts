import { type FileMistake, type Place, Rejection } from "../rejection.ts";

/** Most mistakes that one run reports: a file of another format has one on every line, and a person corrects some at a time. */
export const MAX_MISTAKES = 50;

/** A mistake, and where it is. */
export interface LocatedMistake extends FileMistake {
  readonly place: Place;
  /** The whole sentence, without file, line and column. */
  readonly sentence: string;
}

export interface FoundMistakes {
  readonly mistakes: readonly LocatedMistake[];
  /** Whether there may be more: too many were found, or the rest of a file could not be read. */
  readonly isCut: boolean;
}

/**
 * Collects the mistakes in files, for a command that reports all of them in one run. What is read in spite of a mistake
 * serves only to find the next one: it must not be used where {@link found} has any.
 */
export class Mistakes {
  readonly #found = new Map<string, Rejection>();
  #isCut = false;

  /** Whether one of them is about such a key. */
  includes(isMeant: (key: string | undefined) => boolean): boolean {
    return this.#found.values().some(({ mistake }) => isMeant(mistake?.key));
  }

  /** Whether there are more than are reported: nothing is checked from there on. */
  get isFull(): boolean {
    return this.#found.size === MAX_MISTAKES && this.#isCut;
  }

  /** What follows in a file could not be read, so its mistakes are not known. */
  cut(): void {
    this.#isCut = true;
  }

  /**
   * The result of a check; if that finds a mistake, which is then recorded, the fallback.
   *
   * @throws what the check throws, unless it is the mistake of a file
   */
  attempt<T>(fallback: T, check: () => T): T {
    if (this.isFull) return fallback;
    try {
      return check();
    } catch (error) {
      if (!(error instanceof Rejection) || error.mistake === undefined) throw error;
      this.add(error);
      return fallback;
    }
  }

  /** Records a mistake; a second one about the same value is a consequence of the first. */
  add(mistake: Rejection): void {
    const { file, line, column } = mistake.place ?? { file: "", line: 0, column: 0 };
    const key = JSON.stringify([file, line, column, mistake.mistake?.key]);
    if (this.#found.has(key)) return;
    if (this.#found.size < MAX_MISTAKES) this.#found.set(key, mistake);
    else this.#isCut = true;
  }

  /** In the order of files, and in each from top to bottom. @param files their names in that order */
  found(files: readonly string[]): FoundMistakes {
    const mistakes = [...this.#found.values()]
      .flatMap(({ message, place, mistake }): LocatedMistake[] => {
        if (place === undefined || mistake === undefined) return [];
        const where = `${place.file}:${place.line}:${place.column}: `;
        return [{ ...mistake, place, sentence: message.slice(message.startsWith(where) ? where.length : 0) }];
      })
      .toSorted(
        ({ place: a }, { place: b }) =>
          files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
      );
    return { mistakes, isCut: this.#isCut };
  }
}
