import type { Warn } from "../../core/warning.ts";
import type { ProcessLocks } from "../../io/store/process-lock.ts";

/**
 * The locks of one verification. Two verifications in one process wait for each other like two processes, and neither
 * releases the other's locks.
 */
export class QuestionLocks {
  readonly #directory: string;
  readonly #warn: Warn;
  #locks: ProcessLocks | undefined;

  /** @param directory cacheDir */
  constructor(directory: string, warn: Warn) {
    this.#directory = directory;
    this.#warn = warn;
  }

  /** Loaded on demand: a verification answered from the cache takes no lock. */
  async open(): Promise<ProcessLocks> {
    const { ProcessLocks } = await import("../../io/store/process-lock.ts");
    this.#locks ??= new ProcessLocks(this.#directory, this.#warn);
    return this.#locks;
  }

  /** Releases all held locks. Synchronous, for the end of the process; never throws. */
  end(): void {
    this.#locks?.endAll();
  }
}
