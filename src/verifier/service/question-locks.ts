import type { Warn } from "../../core/warning.ts";
import type { Turns } from "../../io/store/process-lock.ts";

/**
 * The locks of one verification. Two verifications in one process wait for each other like two processes, and neither
 * releases the other's locks.
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

  /** Loaded on demand: a verification answered from the cache takes no lock. */
  async open(): Promise<Turns> {
    const { Turns } = await import("../../io/store/process-lock.ts");
    this.#locks ??= new Turns(this.#directory, this.#warn);
    return this.#locks;
  }

  /** Releases all held locks. Synchronous, for the end of the process; never throws. */
  end(): void {
    this.#locks?.endAll();
  }
}
