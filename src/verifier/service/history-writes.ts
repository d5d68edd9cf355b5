import { mergeObservations, type Observation } from "../../core/verify/signer-history.ts";

type Write = (observation: Observation) => Promise<void>;

/** What is to be written about one signer once the write under way is over: an observation for each key. */
interface Waiting {
  readonly byKey: Map<string, Observation>;
  readonly written: Promise<void>;
}

/**
 * The writes of a process to signers' histories: about each signer one at a time, and what is observed during a write is
 * written together after it. A disk that is slower than reviews are must not let what waits for it grow.
 */
export class HistoryWrites {
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Waiting>();

  /**
   * @param signer whose history in which folder
   * @param write that of whoever waits first writes for all
   * @returns once it is written
   */
  async record(signer: string, observation: Observation, write: Write): Promise<void> {
    const { byKey, written } = this.#waiting.get(signer) ?? this.#next(signer, write);
    const { key = "" } = observation;
    const other = byKey.get(key);
    byKey.set(key, other === undefined ? observation : mergeObservations(other, observation));
    await written;
  }

  #next(signer: string, write: Write): Waiting {
    const byKey = new Map<string, Observation>();
    const written = this.#write(signer, byKey, write, this.#underWay.get(signer)).finally(() => {
      if (this.#underWay.get(signer) === written) this.#underWay.delete(signer);
    });
    const next = { byKey, written };
    this.#waiting.set(signer, next);
    this.#underWay.set(signer, written);
    return next;
  }

  async #write(
    signer: string,
    byKey: ReadonlyMap<string, Observation>,
    write: Write,
    before: Promise<void> | undefined,
  ): Promise<void> {
    // Its failure is that of those who waited for it.
    await before?.catch(() => undefined);
    this.#waiting.delete(signer);
    // In their order: of keys that were seen at the same time, the first counts as the older one.
    for (const observation of byKey.values()) await write(observation);
  }
}
