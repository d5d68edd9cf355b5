import { Deadline } from "../../io/process/deadline.ts";

/** Who wants a work, as it is now. */
export interface Wanted {
  /** How many wait for it. */
  readonly waiting: number;
  /** All who asked for it. */
  readonly askers: ReadonlySet<string>;
}

/** Work that several wait for. */
export interface Flight<T> extends Wanted {
  readonly result: Promise<T>;
  /** Resolves when the work begins; before, it waits for its turn. */
  readonly begun: Promise<void>;
  /** Each who waits counts itself out when it ends. */
  waiting: number;
}

/** Begins the work, which has this deadline from then on. */
export type Begin = () => Deadline;

interface Joinable<T> extends Flight<T> {
  readonly askers: Set<string>;
  /** As in performance.now(). */
  joinableUntil: number;
}

/**
 * Work that several ask for at the same time is done once, with a deadline of its own: those who wait end by theirs. Only
 * work under way is shared, also where it fails; no result is kept, so that a retry begins anew.
 */
export class Flights<T> {
  readonly #underWay = new Map<string, Joinable<T>>();

  get count(): number {
    return this.#underWay.size;
  }

  /**
   * Joins what is under way by this key, or starts it; the caller waits then. What has used up half its time is not joined: a request whose answer
   * was lost must not decide for all who come after it.
   *
   * @param time milliseconds for the work, once it has begun
   * @param start calls `begin` when it is its turn
   * @param asker who asks
   */
  join(
    key: string,
    time: number,
    start: (begin: Begin, wanted: Wanted) => Promise<T>,
    asker = "",
  ): { readonly flight: Flight<T>; readonly isJoined: boolean } {
    const known = this.#underWay.get(key);
    if (known !== undefined && performance.now() < known.joinableUntil) {
      known.waiting++;
      known.askers.add(asker);
      return { flight: known, isJoined: true };
    }
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const state = { waiting: 1, askers: new Set([asker]), joinableUntil: Number.POSITIVE_INFINITY };
    const begin = (): Deadline => {
      const now = performance.now();
      state.joinableUntil = now + time / 2;
      resolve();
      return new Deadline(now + time);
    };
    const flight: Joinable<T> = Object.assign(state, { begun, result: start(begin, state) });
    this.#underWay.set(key, flight);
    const end = (): void => {
      if (this.#underWay.get(key) === flight) this.#underWay.delete(key);
    };
    // A failure is for those who wait; there may be none left.
    void flight.result.then(end, end);
    return { flight, isJoined: false };
  }
}
