import { lstatSync, type Stats } from "node:fs";
import { BoundedMap } from "./bounded-map.ts";
import type { SignerEntries } from "./signer-entries.ts";

/** Signers whose histories are remembered. */
const MAX_HISTORIES = 4096;
/** Bytes of all of them together, estimated. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Bytes that one name takes, once read. */
const NAME_SIZE = 150;
/**
 * How long a folder must have been unchanged when it is read, in milliseconds: in one tick of a file system's clock it may
 * change again without another time. Some file systems count in seconds.
 */
const SETTLED_AFTER = 2500;
/** When a folder that changed just before it was read is read again, in milliseconds, though its times are the same. */
const READ_AGAIN_AFTER = 500;

/** What a folder's names say. */
export type ReadEntries = Pick<SignerEntries, "memory" | "revs" | "noes">;

interface Kept {
  readonly stamp: string;
  readonly entries: ReadEntries;
  /** Milliseconds since 1970. */
  readonly readAt: number;
  readonly isSettled: boolean;
}

/**
 * What a process has read of signers' folders, so that a folder that is unchanged is not read again. The folder remains the
 * history: what another process adds to it or removes changes its time, and it is read anew. What this process itself writes
 * counts at once, if it calls {@link forget}; what another one writes in the same tick as an earlier change, half a second later.
 */
export class HistoryMemo {
  readonly #kept = new BoundedMap<Kept>(
    { count: MAX_HISTORIES, bytes: MAX_BYTES },
    ({ entries: { memory, revs, noes } }) => ({
      own: NAME_SIZE * (1 + revs.length + memory.operations.size + memory.keys.size + 2 * noes.length),
      buffers: [],
    }),
  );

  readonly #clock: () => number;

  /** @param clock as the file system has it; milliseconds since 1970 */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#kept.count;
  }

  /**
   * What was read of a folder that is still the same. Its path is not looked at again: who could change it meanwhile can put another
   * folder there, but not this one with these times. A clock that was set back reads anew, as names from the future do not count.
   *
   * @throws Error of the file system, with its code
   */
  find(folder: string): ReadEntries | undefined {
    const kept = this.#kept.get(folder);
    if (kept === undefined) return undefined;
    const age = this.#clock() - kept.readAt;
    if (age < 0 || (!kept.isSettled && age > READ_AGAIN_AFTER)) return undefined;
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    return stats !== undefined && kept.stamp === stampOf(stats) ? kept.entries : undefined;
  }

  /** @param stats of the folder, from before it was read and after its path was found to be trusted */
  keep(folder: string, stats: Stats, entries: ReadEntries): void {
    const readAt = this.#clock();
    const isSettled = readAt - Math.max(stats.mtimeMs, stats.ctimeMs) >= SETTLED_AFTER;
    this.#kept.set(folder, { stamp: stampOf(stats), entries, readAt, isSettled });
  }

  /** To be called after this process has written to a folder. */
  forget(folder: string): void {
    this.#kept.delete(folder);
  }
}

function stampOf({ dev, ino, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${mtimeMs} ${ctimeMs}`;
}
