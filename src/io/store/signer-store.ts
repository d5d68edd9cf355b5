import { type Dirent, lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { type Did, isDid } from "../../core/atproto/syntax.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import { NO_HISTORY, type Observation, type SignerHistory } from "../../core/verify/signer-history.ts";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { isAbsent } from "../fs/local-file.ts";
import { assertPathTrusted, check } from "../fs/trusted-path.ts";
import type { HistoryMemo } from "./history-memo.ts";
import type { Damage, Damaged } from "./quarantine.ts";
import { newEntryNames, newNoEntries, parseEntries, type SignerEntries } from "./signer-entries.ts";
import { lostNoes, namesOfNoes } from "./signer-noes.ts";

/** Operations and keys per signer: stops a signer from filling the disk with new ones. */
const MAX_REMEMBERED = 1000;
/** Names read of a signer, revisions not yet swept included; more are not this program's, and are not listed forever. */
const MAX_NAMES = 8000;
/** Most bytes of a file's name (NAME_MAX of Linux). */
const LONGEST_NAME = 255;
/** What {@link nameOf} makes of a longer one. */
const SHORTENED = /^sha256-[0-9a-f]{64}$/;
const SIGNERS = "signers";

/** Of a signer without a folder. */
const NOTHING = { memory: NO_HISTORY, revs: [], noes: [] } as const;

/** What the folder of a signer says, and what is wrong with it. */
type Read = Pick<SignerEntries, "memory" | "revs" | "noes"> & { readonly damage: readonly Damage[] };

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
  readonly #memo: HistoryMemo | undefined;
  readonly #loadedHistory = new Map<Did, SignerHistory>();

  /**
   * @param directory absolute path; made where it is missing and its parent is not
   * @param warn of codes that begin with `history.`; the same may come again
   * @param memo of a process that runs for long: what it has read of this directory
   */
  constructor(directory: string, warn: Warn, memo?: HistoryMemo) {
    this.#directory = directory;
    this.#memo = memo;
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
    const memory = await this.#loadHistory(nameOf(did), now);
    this.#loadedHistory.set(did, memory);
    return memory;
  }

  /** Records an observation, and sets aside what is damaged. Writes nothing if there is neither. */
  async recordObservation(observation: Observation, now: number): Promise<void> {
    const { signer } = observation;
    // What is remembered only grows, so that what was known before need not be looked for again.
    const loaded = this.#loadedHistory.get(signer) ?? NO_HISTORY;
    const isNew = (known: SignerHistory): boolean =>
      newEntryNames(observation, known, now).length + newNoEntries(observation, known, now).length > 0;
    if (loaded.unusable === undefined && !isNew(loaded)) return;
    const name = nameOf(signer);
    const path = join(this.#signers, name);
    const { addEntries } = await import("./signer-writer.ts");
    try {
      const { memory, revs, noes, damage } = this.#read(name, now);
      const lost = damage.length > 0 ? [lostNoes(now)] : [];
      const folder = { directory: this.#directory, signers: SIGNERS, name };
      const isWhole = damage.some((one) => one.path === path);
      // First: what is set aside may have been a no.
      if (lost.length > 0 && !isWhole) await addEntries(folder, lost, { revs, noes });
      await this.#setAside(damage, path);
      const missing = newEntryNames(observation, memory, now);
      if (!isNew(memory) && !isWhole) return;
      if (memory.operations.size + memory.keys.size + missing.length > MAX_REMEMBERED) {
        throw new Error(`more than ${MAX_REMEMBERED} operations and keys; run: atcr-verify state forget ${signer}`);
      }
      const shown = namesOfNoes(newNoEntries(observation, memory, now), noes);
      await addEntries(folder, [...missing, ...shown, ...(isWhole ? lost : [])], { revs, noes });
    } catch (error) {
      const message = `the history of ${name} cannot be updated: ${(error as Error).message}`;
      this.#warn({ code: "history.not_written", message });
    } finally {
      this.#memo?.forget(path);
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
      await removeEntries({ directory: this.#directory, signers: SIGNERS, name: nameOf(did) });
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
    const known = this.#memo?.find(folder);
    if (known !== undefined) return { ...known, damage: [] };
    const stats = this.#statsOf(folder);
    if (stats === undefined) return { ...NOTHING, damage: [] };
    const entries = entriesIn(folder, stats);
    // A lost history is not the same as an empty one.
    if (typeof entries === "string") return { ...NOTHING, damage: [{ path: folder, why: entries }] };
    const files: string[] = [];
    const damage: Damage[] = [];
    for (const entry of entries) {
      const path = join(folder, entry.name);
      // Where a file system does not say what an entry is, it is looked at.
      if (entry.isFile() || isFile(path)) files.push(entry.name);
      else damage.push({ path, why: "is no file" });
    }
    const { memory, revs, noes, damaged, ahead } = parseEntries(files, now);
    for (const name of damaged) damage.push({ path: join(folder, name), why: "says nothing" });
    for (const name of ahead) {
      const message = `${join(folder, name)} is not used: it is dated in the future, so this node's clock is or was wrong`;
      this.#warn({ code: "history.from_future", message });
    }
    if (damage.length + ahead.length === 0) this.#memo?.keep(folder, stats, { memory, revs, noes });
    return { memory, revs, noes, damage };
  }

  /** @returns undefined where there is nothing */
  #statsOf(folder: string): Stats | undefined {
    try {
      assertPathTrusted(this.#signers);
      const stats = lstatSync(folder);
      if (stats.isDirectory()) check(stats, folder);
      return stats;
    } catch (error) {
      if (hasCode(error, "ENOENT") && isAbsent(folder)) return undefined;
      throw error;
    }
  }
}

/** @returns the entries; or, behind the folder's path, why the whole folder is damaged */
function entriesIn(folder: string, stats: Stats): readonly Dirent[] | string {
  if (!stats.isDirectory()) return "is no folder";
  const entries = readdirSync(folder, { withFileTypes: true });
  if (entries.length <= MAX_NAMES) return entries;
  return `has ${entries.length} entries, at most ${MAX_NAMES} are read`;
}

/** The folder of a signer. The longest names of hosts make a did:web too long for one. */
function nameOf(did: Did): string {
  return did.length <= LONGEST_NAME ? did : `sha256-${sha256Hex(toUtf8(did))}`;
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false; // gone in the meantime
  }
}
