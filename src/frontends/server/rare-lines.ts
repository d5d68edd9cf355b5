/** Milliseconds between two lines about the same. */
const PERIOD = 60_000;

/** Lines about what anybody can cause any number of times: of each kind at most one a minute, with a count. */
export class RareLines<Kind extends string> {
  readonly #say: (text: string) => void;
  readonly #kinds: Readonly<Record<Kind, string>>;
  readonly #counts = new Map<Kind, { count: number; saidAt: number; last?: string | undefined }>();

  /** @param kinds what is counted, in words for people */
  constructor(kinds: Readonly<Record<Kind, string>>, say: (text: string) => void) {
    this.#kinds = kinds;
    this.#say = say;
  }

  /**
   * It happened once more.
   *
   * @param now milliseconds on any clock that only goes forward
   * @param last what is worth saying of this one, should it be the last before the line
   */
  note(kind: Kind, now: number, last?: string): void {
    const one = this.#counts.get(kind) ?? { count: 0, saidAt: Number.NEGATIVE_INFINITY };
    this.#counts.set(kind, one);
    one.count++;
    one.last = last;
    this.flush(now);
  }

  /** Says what is due. To be called every few seconds, so that the last of many are said too. */
  flush(now: number): void {
    for (const [kind, one] of this.#counts) {
      if (one.count === 0 || now - one.saidAt < PERIOD) continue;
      this.#say(`${this.#kinds[kind]}: ${one.count}${one.last === undefined ? "" : `; the last: ${one.last}`}`);
      one.count = 0;
      one.saidAt = now;
    }
  }
}
