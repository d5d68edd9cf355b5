import { Deadline } from "../../io/process/deadline.ts";

/** Work under way, and until when others may still join it; milliseconds as in {@link Deadline}. */
interface Flight<T> {
  readonly result: Promise<T>;
  readonly joinableUntil: number;
}

/**
 * Work that several ask for at the same time is done once, with a deadline of its own: those who wait end by theirs. Only
 * work under way is shared, also where it fails; no result is kept, so that a retry begins anew.
 */
export class Flights<T> {
  readonly #underWay = new Map<string, Flight<T>>();

  get count(): number {
    return this.#underWay.size;
  }

  /**
   * Joins what is under way by this key, or starts it. What has used up half its time is not joined: a request whose answer
   * was lost must not decide for all who come after it.
   *
   * @param time milliseconds for the work
   */
  join(
    key: string,
    time: number,
    start: (deadline: Deadline) => Promise<T>,
  ): { readonly result: Promise<T>; readonly isJoined: boolean } {
    const now = performance.now();
    const known = this.#underWay.get(key);
    if (known !== undefined && now < known.joinableUntil) return { result: known.result, isJoined: true };
    const result = start(new Deadline(now + time));
    const flight = { result, joinableUntil: now + time / 2 };
    this.#underWay.set(key, flight);
    const end = (): void => {
      if (this.#underWay.get(key) === flight) this.#underWay.delete(key);
    };
    // A failure is for those who wait; there may be none left.
    void result.then(end, end);
    return { result, isJoined: false };
  }
}
