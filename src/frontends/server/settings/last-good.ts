import { isDeepStrictEqual } from "node:util";
import { Rejection, reject } from "../../../core/rejection.ts";

/** What was read, for metrics and the log. */
export interface FileSubject {
  readonly what: "policy" | "configuration" | "tokens" | "break_glass";
  /** Of a named policy, or the path of a file of tokens; absent: there is one of its kind. */
  readonly name?: string;
}

/** Whether the files are valid as they are now. */
export interface FileState extends FileSubject {
  readonly ok: boolean;
  /** Since when; milliseconds since 1970. */
  readonly since: number;
}

/** Called once for each change. @param message a sentence for people; may name paths, and never a secret */
export type OnChange = (state: FileState, message: string) => void;

/** How one setting is read from its files. */
export interface Source<Texts, T> {
  readonly subject: FileSubject;
  /** What the files contain: plain data. @throws Rejection */
  readonly read: () => Texts;
  /** @throws Rejection */
  readonly parse: (texts: Texts) => T;
  /** Where they are, if the subject's name does not say it. */
  readonly path?: () => string | undefined;
  /** Whether the first reading is reported too. */
  readonly saysFirst?: true;
  /** What is worth saying of what was read again, as a clause. */
  readonly described?: (value: T) => string | undefined;
  /** What happens while the files cannot be used although they once were, as a clause. */
  readonly meanwhile: string;
}

interface Good<Texts, T> {
  readonly texts: Texts;
  readonly value: T;
}

interface Bad<Texts> {
  /** Absent where they could not be read. */
  readonly texts?: Texts;
  readonly error: Rejection;
}

/** Times that files are read until they are the same twice: a volume is switched within one of them. */
const MAX_READS = 4;

/** A setting as it was when its files were last valid. They are read again and again, and parsed only where they changed. */
export class LastGood<Texts, T> {
  readonly #source: Source<Texts, T>;
  readonly #report: OnChange;
  #good: Good<Texts, T> | undefined;
  #bad: Bad<Texts> | undefined;
  #since = 0;

  constructor(source: Source<Texts, T>, report: OnChange) {
    this.#source = source;
    this.#report = report;
  }

  /** @throws Rejection that the first attempt ended with, if the files were never valid */
  get value(): T {
    if (this.#good === undefined) throw this.#bad?.error ?? new Error("read before the first poll");
    return this.#good.value;
  }

  get isKnown(): boolean {
    return this.#good !== undefined;
  }

  get state(): FileState {
    return { ...this.#source.subject, ok: this.#bad === undefined, since: this.#since };
  }

  /**
   * Reads the files again. Where they cannot be used, the value stays.
   *
   * @param now milliseconds since 1970
   * @returns whether the value is another one
   */
  poll(now: number): boolean {
    const before = this.#bad?.error.message;
    const read = this.#attempt();
    if ("error" in read) {
      const isNew = before !== read.error.message;
      if (this.#bad === undefined) this.#since = now;
      this.#bad = read;
      const meanwhile = this.#good === undefined ? "" : `; ${this.#source.meanwhile}`;
      if (isNew) this.#say(`${read.error.message}${meanwhile}`);
      return false;
    }
    const isOther = this.#good !== read;
    const isFirst = this.#good === undefined;
    if (this.#bad !== undefined || isFirst) this.#since = now;
    [this.#good, this.#bad] = [read, undefined];
    if (isFirst) {
      if (this.#source.saysFirst) this.#sayRead("was read", read.value);
    } else if (isOther) this.#sayRead("was read again", read.value);
    else if (before !== undefined) this.#sayRead("is valid again, as before", read.value);
    return isOther;
  }

  #sayRead(what: string, value: T): void {
    const { path, described } = this.#source;
    const file = path?.();
    const clause = described?.(value);
    this.#say(`${file === undefined ? "" : `${file} `}${what}${clause === undefined ? "" : `; ${clause}`}`);
  }

  #say(message: string): void {
    const { what, name } = this.#source.subject;
    this.#report(this.state, `${what.replace("_", "-")}${name === undefined ? "" : ` ${name}`}: ${message}`);
  }

  #attempt(): Good<Texts, T> | Bad<Texts> {
    let texts: Texts | undefined;
    try {
      texts = this.#settled();
      if (this.#good !== undefined && isDeepStrictEqual(texts, this.#good.texts)) return this.#good;
      if (this.#bad?.texts !== undefined && isDeepStrictEqual(texts, this.#bad.texts)) return this.#bad;
      return { texts, value: this.#source.parse(texts) };
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      return { ...(texts !== undefined && { texts }), error };
    }
  }

  /** Files that were replaced between two reads would be mixed, or missing. */
  #settled(): Texts {
    let last: Texts | undefined;
    for (let reads = 1; ; reads++) {
      try {
        const texts = this.#source.read();
        if (isDeepStrictEqual(texts, this.#good?.texts) || isDeepStrictEqual(texts, last)) return texts;
        last = texts;
      } catch (error) {
        if (reads >= MAX_READS) throw error;
        last = undefined;
      }
      if (reads >= MAX_READS) reject("config.invalid", "the files change while they are read");
    }
  }
}
