/**
 * The time limit of a verification, and what it is waiting for.
 *
 * Times are milliseconds on the monotonic clock since the process started (`performance.now()`), so that the start of
 * the runtime counts, and changes of the wall clock do not.
 */
export class Deadline {
  readonly at: number;
  readonly #waiting: Map<symbol, string>;

  /** @param at milliseconds since process start */
  constructor(at: number, waiting = new Map<symbol, string>()) {
    this.at = at;
    this.#waiting = waiting;
  }

  /** An earlier deadline, to leave time for something else; both share {@link waitingFor}. */
  earlier(by: number): Deadline {
    return new Deadline(this.at - by, this.#waiting);
  }

  /** Milliseconds left, never negative. */
  remaining(): number {
    return Math.max(0, this.at - performance.now());
  }

  /** The unfinished work, oldest first, for the reason of `net.deadline`. */
  waitingFor(): readonly string[] {
    return [...new Set(this.#waiting.values())];
  }

  /** Runs `work`, listed in {@link waitingFor} as `what` until it settles. */
  async track<T>(what: string, work: () => Promise<T>): Promise<T> {
    const key = Symbol(what);
    this.#waiting.set(key, what);
    try {
      return await work();
    } finally {
      this.#waiting.delete(key);
    }
  }
}
