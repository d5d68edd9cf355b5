/**
 * The total time a verification may take, and what it is waiting for right now.
 *
 * Times are milliseconds on the monotonic clock since the process started (`performance.now()`),
 * so that the start-up of the runtime counts and a change of the wall clock does not.
 */
export class Deadline {
  readonly at: number;
  readonly #waiting: Map<symbol, string>;

  /** @param at milliseconds since process start at which the time is over */
  constructor(at: number, waiting = new Map<symbol, string>()) {
    this.at = at;
    this.#waiting = waiting;
  }

  /** An earlier one for what must leave time for something else; what it waits for, this one waits for too. */
  earlier(by: number): Deadline {
    return new Deadline(this.at - by, this.#waiting);
  }

  /** Milliseconds left, never negative. */
  remaining(): number {
    return Math.max(0, this.at - performance.now());
  }

  /** What has been started and not ended, oldest first, for the reason line of `net.deadline`. */
  waitingFor(): readonly string[] {
    return [...new Set(this.#waiting.values())];
  }

  /** Runs `work`, which is named in {@link waitingFor} until it settles. */
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
