/** Writes that wait for their turn, about all signers together. */
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
  #waiting = 0;

  /** Turns and syncs, each counted once for a folder. */
  get underWay(): number {
    return this.#turns.size + this.#syncs.size;
  }

  /**
   * @param folder a path
   * @param write what it throws is thrown to its caller alone
   * @throws Error where too many wait, as those of a disk that does not answer
   */
  async inTurn<T>(folder: string, write: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) throw new Error(`${MAX_WAITING} writes to histories wait for the disk`);
    this.#waiting += 1;
    const before = this.#turns.get(folder)?.catch(() => undefined);
    const turn = (before ?? Promise.resolve()).then(write);
    this.#turns.set(folder, turn);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
      if (this.#turns.get(folder) === turn) this.#turns.delete(folder);
    }
  }

  /**
   * Has a folder synced once at least after this call.
   *
   * @param sync the one of whoever asks first after the last began; what it throws is thrown to all who wait for it
   */
  async synced(folder: string, sync: () => Promise<void>): Promise<void> {
    const runs = this.#syncs.get(folder);
    if (runs?.next !== undefined) return runs.next;
    if (runs !== undefined) {
      runs.next = runs.underWay.catch(() => undefined).then(() => this.#begin(folder, sync));
      return runs.next;
    }
    return this.#begin(folder, sync);
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
