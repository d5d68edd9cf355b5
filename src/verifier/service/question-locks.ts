import type { Warn } from "../../core/warning.ts";
import type { Turns } from "../../io/store/process-lock.ts";

/**
 * The locks of one question. They are its own: two questions in one process wait for each other as two processes do,
 * and neither gives up what the other one holds.
 */
export class QuestionLocks {
  readonly #directory: string;
  readonly #warn: Warn;
  #locks: Turns | undefined;

  /** @param directory cacheDir */
  constructor(directory: string, warn: Warn) {
    this.#directory = directory;
    this.#warn = warn;
  }

  /** A question that is answered from the cache takes no lock, and does not load what locks. */
  async open(): Promise<Turns> {
    const { Turns } = await import("../../io/store/process-lock.ts");
    this.#locks ??= new Turns(this.#directory, this.#warn);
    return this.#locks;
  }

  /** Gives up those that are still held. Synchronous, for the end of the process; never throws. */
  end(): void {
    this.#locks?.endAll();
  }
}
