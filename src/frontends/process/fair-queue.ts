/** The places of one who asks. */
export interface Share {
  /** Requests of theirs that are worked on at one time, and that wait. */
  readonly running: number;
  readonly waiting: number;
  /** Places, of all, that are not for them. */
  readonly keptRunning: number;
  readonly keptWaiting: number;
}

export interface FairLimits {
  /** Requests of all that are worked on at one time, and that wait. */
  readonly running: number;
  readonly waiting: number;
  /** @param asker as {@link FairQueue.run} is given it */
  readonly shareOf: (asker: string) => Share;
}

interface Asker {
  readonly share: Share;
  running: number;
  /** Of the latest request that was started, counted over all; 0 before the first. */
  turn: number;
  /** Each starts one request. */
  readonly waiting: (() => void)[];
}

/** Works on a few requests of each asker at one time, and takes turns among those that wait. */
export class FairQueue {
  readonly #limits: FairLimits;
  /** Those with requests. */
  readonly #askers = new Map<string, Asker>();
  #running = 0;
  #waiting = 0;
  #turns = 0;

  constructor(limits: FairLimits) {
    this.#limits = limits;
  }

  /**
   * Does the work as soon as the asker has a place.
   *
   * @param wait milliseconds until it is turned away
   * @returns undefined where too many requests wait already, or this one waited too long: nothing was done then
   */
  async run<T>(asker: string, wait: number, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#place(asker, wait))) return undefined;
    try {
      return await work();
    } finally {
      this.#leave(asker);
    }
  }

  /** How many requests of these askers are worked on now, and how many wait. */
  of(isCounted: (asker: string) => boolean): { readonly running: number; readonly waiting: number } {
    const counted = [...this.#askers].filter(([name]) => isCounted(name)).map(([, asker]) => asker);
    return {
      running: counted.reduce((sum, { running }) => sum + running, 0),
      waiting: counted.reduce((sum, { waiting }) => sum + waiting.length, 0),
    };
  }

  /** @returns whether there is a place */
  #place(name: string, wait: number): Promise<boolean> | boolean {
    const share = this.#limits.shareOf(name);
    const asker = this.#askers.get(name) ?? { share, running: 0, turn: 0, waiting: [] };
    if (this.#mayRun(asker)) {
      this.#askers.set(name, asker);
      this.#start(asker);
      return true;
    }
    const { waiting, keptWaiting } = asker.share;
    if (this.#waiting >= this.#limits.waiting - keptWaiting || asker.waiting.length >= waiting) return false;
    this.#askers.set(name, asker);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        asker.waiting.splice(asker.waiting.indexOf(start), 1);
        this.#waiting--;
        this.#forget(name, asker);
        resolve(false);
      }, wait);
      const start = (): void => {
        clearTimeout(timer);
        this.#waiting--;
        this.#start(asker);
        resolve(true);
      };
      asker.waiting.push(start);
      this.#waiting++;
    });
  }

  #mayRun({ share, running }: Asker): boolean {
    return this.#running < this.#limits.running - share.keptRunning && running < share.running;
  }

  #leave(name: string): void {
    const asker = this.#askers.get(name);
    if (asker === undefined) return;
    asker.running--;
    this.#running--;
    this.#forget(name, asker);
    const waiting = [...this.#askers.values()].filter((other) => other.waiting.length > 0 && this.#mayRun(other));
    const [next] = waiting.toSorted((one, other) => one.turn - other.turn);
    next?.waiting.shift()?.();
  }

  #start(asker: Asker): void {
    asker.running++;
    this.#running++;
    asker.turn = ++this.#turns;
  }

  #forget(name: string, asker: Asker): void {
    if (asker.running === 0 && asker.waiting.length === 0) this.#askers.delete(name);
  }
}
