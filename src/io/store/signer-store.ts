import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Did, isDid } from "../../core/atproto/syntax.ts";
import { NO_HISTORY, type Observation, type SignerHistory } from "../../core/verify/signer-history.ts";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import type { HistoryMemo, ReadEntries } from "./history-memo.ts";
import type { HistoryWrites } from "./history-writes.ts";
import type { Damage, Damaged } from "./quarantine.ts";
import { newEntryNames, newNoEntries, parseEntries } from "./signer-entries.ts";
import { folderNameOf, readFolder, SHORTENED } from "./signer-folder.ts";
import { lostNoes, namesOfNoes } from "./signer-noes.ts";
import type { SignerFolder } from "./signer-writer.ts";

/** Operations and keys per signer: stops a signer from filling the disk with new ones. */
const MAX_REMEMBERED = 1000;
const SIGNERS = "signers";

/** Of a signer without a folder. */
const NOTHING = { memory: NO_HISTORY, revs: [], noes: [] } as const;

/** What the folder of a signer says, and what is wrong with it. */
type Read = ReadEntries & { readonly damage: readonly Damage[] };

/** What the stores of one process share. */
export interface SharedHistories {
  readonly memo: HistoryMemo;
  readonly writes: HistoryWrites;
}

/** One signer's history, for display. */
export interface Remembered {
  /** The DID; for one that is too long to be the name of a folder, that folder's name. */
  readonly signer: string;
  readonly memory: SignerHistory;
}

/**
 * What a node remembers of signers between pulls (spec, "What a node remembers"): for each a folder of
 * empty files whose names say it all (signer-entries.ts). Names are only added, but for revisions that a newer one
 * supersedes, so that processes side by side and those that are killed lose nothing and need no lock.
 *
 * Never throws because of what is on the disk: that is reported and not used.
 */
export class SignerStore {
  readonly #directory: string;
  readonly #signers: string;
  readonly #warn: Warn;
  readonly #shared: SharedHistories | undefined;
  readonly #loadedHistory = new Map<Did, SignerHistory>();

  /**
   * @param directory absolute path; made where it is missing and its parent is not
   * @param warn of codes that begin with `history.`; the same may come again
   * @param shared by the stores of a process that runs for long
   */
  constructor(directory: string, warn: Warn, shared?: SharedHistories) {
    this.#directory = directory;
    this.#shared = shared;
    this.#signers = join(directory, SIGNERS);
    this.#warn = warn;
  }

  /**
   * Changes nothing on the disk: a pull that restarts for the network (frontends/process/reexec.ts) loads it again, and must
   * find the same damage.
   *
   * @param now milliseconds since 1970
   * @returns unusable where any of it was damaged, by this store from then on, also where that has been set aside
   */
  async loadHistory(did: Did, now: number): Promise<SignerHistory> {
    const before = this.#loadedHistory.get(did);
    if (before?.unusable !== undefined) return before;
    const memory = await this.#loadHistory(folderNameOf(did), now);
    this.#loadedHistory.set(did, memory);
    return memory;
  }

  /** Records an observation, and sets aside what is damaged. Writes nothing if there is neither. */
  async recordObservation(observation: Observation, now: number): Promise<void> {
    const { signer } = observation;
    // What is remembered only grows, so that what was known before need not be looked for again.
    const loaded = this.#loadedHistory.get(signer) ?? NO_HISTORY;
    const added = newEntryNames(observation, loaded, now).length + newNoEntries(observation, loaded, now).length;
    if (loaded.unusable === undefined && added === 0) return;
    const name = folderNameOf(signer);
    const folder = { directory: this.#directory, signers: SIGNERS, name };
    const path = join(this.#signers, name);
    const { settle } = await import("./signer-writer.ts");
    const settled = async (known: ReadEntries): Promise<void> => settle(folder, known);
    const calledAt = performance.now();
    // A floor must not be older than damage that came while this waited for its turn.
    const add = async () => this.#add(observation, folder, now + Math.trunc(performance.now() - calledAt));
    try {
      if (this.#shared !== undefined) return await this.#shared.writes.write(path, add, settled);
      const known = await this.#add(observation, folder, now);
      if (known !== undefined) await settled(known);
    } catch (error) {
      const message = `the history of ${name} cannot be updated: ${(error as Error).message}`;
      this.#warn({ code: "history.not_written", message });
    }
  }

  /** @returns what was there before; undefined where nothing was added */
  async #add(observation: Observation, folder: SignerFolder, now: number): Promise<ReadEntries | undefined> {
    const path = join(this.#signers, folder.name);
    const { addEntries, settle } = await import("./signer-writer.ts");
    try {
      const { memory, revs, noes, damage } = this.#read(folder.name, now);
      const lost = damage.length > 0 ? [lostNoes(now)] : [];
      const isWhole = damage.some((one) => one.path === path);
      // First, and to the disk: what is set aside may have been a no.
      if (lost.length > 0 && !isWhole) {
        await addEntries(folder, lost);
        await settle(folder, { revs, noes });
      }
      await this.#setAside(damage, path);
      const missing = newEntryNames(observation, memory, now);
      const newOnes = newNoEntries(observation, memory, now);
      if (missing.length + newOnes.length === 0 && !isWhole) return undefined;
      if (memory.operations.size + memory.keys.size + missing.length > MAX_REMEMBERED) {
        throw new Error(
          `more than ${MAX_REMEMBERED} operations and keys; run: atcr-verify state forget ${observation.signer}`,
        );
      }
      await addEntries(folder, [...missing, ...namesOfNoes(newOnes, noes), ...(isWhole ? lost : [])]);
      if (isWhole) await settle(folder, NOTHING);
      return { memory, revs, noes };
    } finally {
      this.#shared?.memo.forget(path);
    }
  }

  /** All that is remembered, by name. */
  async list(now: number): Promise<readonly Remembered[]> {
    const names = this.#list();
    const known = names.filter((name) => isDid(name) || SHORTENED.test(name)).toSorted();
    return Promise.all(known.map(async (signer) => ({ signer, memory: await this.#loadHistory(signer, now) })));
  }

  /**
   * Forgets a signer, at once and whole.
   *
   * @returns whether anything was remembered
   * @throws Error where that is impossible
   */
  async forget(did: Did): Promise<boolean> {
    this.#loadedHistory.delete(did);
    try {
      assertPathTrusted(this.#signers);
      const { removeEntries } = await import("./signer-writer.ts");
      await removeEntries({ directory: this.#directory, signers: SIGNERS, name: folderNameOf(did) });
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    }
  }

  async #loadHistory(name: string, now: number): Promise<SignerHistory> {
    try {
      const { memory, damage } = this.#read(name, now);
      const [first] = damage;
      if (first === undefined) return memory;
      const damaged = await this.#damaged();
      for (const one of damage) damaged.report(one);
      // The remaining entries still detect rollbacks.
      return { ...memory, unusable: `${first.path} ${first.why}` };
    } catch (error) {
      const unusable = (error as Error).message;
      const message = `the history of ${name} is not used: ${unusable}`;
      this.#warn({ code: "history.unusable", message });
      return { ...NO_HISTORY, unusable, ...(hasCode(error, "EACCES") && { isDenied: true }) };
    }
  }

  #list(): readonly string[] {
    try {
      assertPathTrusted(this.#signers);
      return readdirSync(this.#signers);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) {
        const message = `the signer history is not used: ${(error as Error).message}`;
        this.#warn({ code: "history.unusable", message });
      }
      return [];
    }
  }

  async #damaged(): Promise<Damaged> {
    const { Damaged } = await import("./quarantine.ts");
    return new Damaged(this.#directory, this.#warn);
  }

  /** @throws Error where the signer's whole folder is damaged and stays in place */
  async #setAside(damage: readonly Damage[], folder: string): Promise<void> {
    if (damage.length === 0) return;
    const damaged = await this.#damaged();
    for (const one of damage) {
      damaged.report(one);
      const isGone = await damaged.setAside(one);
      if (!isGone && one.path === folder) throw new Error(`${folder} ${one.why}`);
    }
  }

  /** @throws Error where the folder cannot be used */
  #read(name: string, now: number): Read {
    const folder = join(this.#signers, name);
    const known = this.#shared?.memo.find(folder);
    if (known !== undefined) return { ...known, damage: [] };
    const content = readFolder(this.#signers, name);
    if (content === undefined) return { ...NOTHING, damage: [] };
    const { memory, revs, noes, damaged, ahead } = parseEntries(content.files, now);
    const damage = [...content.damage, ...damaged.map((one) => ({ path: join(folder, one), why: "says nothing" }))];
    for (const one of ahead) {
      const message = `${join(folder, one)} is not used: it is dated in the future, so this node's clock is or was wrong`;
      this.#warn({ code: "history.from_future", message });
    }
    if (damage.length + ahead.length === 0) this.#shared?.memo.keep(folder, content.stats, { memory, revs, noes });
    return { memory, revs, noes, damage };
  }
}
