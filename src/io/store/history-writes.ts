/** Writes about one signer that wait, and those about all: a disk that does not answer must fill neither folder nor memory. */
const MAX_WAITING_OF_SIGNER = 512;
const MAX_WAITING = 4096;

/** What is under way about a folder, and what begins after it. */
interface Runs {
  underWay: Promise<void>;
  next?: Promise<void>;
}

/**
 * How the writes of one process to signers' folders keep out of each other's way. Names are added in turns, so that in a burst the
 * first writes what all have seen and the others find it. Syncing the disk takes far longer, so that all who have added names
 * meanwhile share the next one: else writes would queue behind a disk that syncs more slowly than images come.
 */
export class HistoryWrites {
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #syncs = new Map<string, Runs>();
  readonly #waiting = new Map<string, number>();
  #allWaiting = 0;

  /** Folders with turns, with syncs and with writes that wait. */
  get underWay(): number {
    return this.#turns.size + this.#syncs.size + this.#waiting.size;
  }

  /**
   * @param folder a path
   * @param add adds names; undefined where they were there
   * @param settle syncs what was added, once at least after this `add`; that of one of those who wait serves all
   * @throws Error of its own `add`, of the `settle` that it waited for, or because too many wait
   */
  async write<T>(
    folder: string,
    add: () => Promise<T | undefined>,
    settle: (added: T) => Promise<void>,
  ): Promise<void> {
    const waiting = this.#waiting.get(folder) ?? 0;
    if (waiting >= MAX_WAITING_OF_SIGNER || this.#allWaiting >= MAX_WAITING) {
      throw new Error(`${waiting} writes to it and ${this.#allWaiting} in all wait for the disk`);
    }
    this.#count(folder, 1);
    try {
      const added = await this.#inTurn(folder, add);
      if (added !== undefined) await this.#synced(folder, async () => settle(added));
      // What was there may have been added a moment ago.
      else await this.#lastSync(folder);
    } finally {
      this.#count(folder, -1);
    }
  }

  #count(folder: string, change: 1 | -1): void {
    this.#allWaiting += change;
    const waiting = (this.#waiting.get(folder) ?? 0) + change;
    if (waiting > 0) this.#waiting.set(folder, waiting);
    else this.#waiting.delete(folder);
  }

  async #inTurn<T>(folder: string, add: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(folder)?.catch(() => undefined);
    const turn = (before ?? Promise.resolve()).then(add);
    this.#turns.set(folder, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(folder) === turn) this.#turns.delete(folder);
    }
  }

  async #synced(folder: string, sync: () => Promise<void>): Promise<void> {
    const runs = this.#syncs.get(folder);
    if (runs === undefined) return this.#begin(folder, sync);
    runs.next ??= runs.underWay.catch(() => undefined).then(() => this.#begin(folder, sync));
    return runs.next;
  }

  async #lastSync(folder: string): Promise<void> {
    const runs = this.#syncs.get(folder);
    await (runs?.next ?? runs?.underWay);
  }

  #begin(folder: string, sync: () => Promise<void>): Promise<void> {
    const runs: Runs = { underWay: sync() };
    this.#syncs.set(folder, runs);
    const end = (): void => {
      if (runs.next === undefined) this.#syncs.delete(folder);
    };
    runs.underWay.then(end, end);
    return runs.underWay;
  }
}
