import type { Dirent, Stats } from "node:fs";
import { lstat, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Did, isDid, type Tid } from "../atproto/syntax.ts";
import { hasCode, makeOwnFolder, syncFolder } from "../disk/folders.ts";
import { check, checkWay } from "../disk/trusted-way.ts";
import { toHex, toUtf8 } from "../encoding/bytes.ts";
import { sha256 } from "../encoding/sha256.ts";
import { NOTHING_REMEMBERED, type Sighting, type SignerMemory } from "../verify/memory.ts";
import { Damaged } from "./damaged.ts";
import { missingNames, readTraces, type Traces } from "./traces.ts";

/** Operations and keys remembered of a signer: whoever can sign ever more of them fills no disk. */
const MAX_REMEMBERED = 1000;
/** Names read of a signer, revisions not yet swept included; more are not this program's, and are not listed forever. */
const MAX_NAMES = 4000;
/** Most bytes of a file's name (NAME_MAX of Linux). */
const LONGEST_NAME = 255;
/** What {@link nameOf} makes of a longer one. */
const SHORTENED = /^sha256-[0-9a-f]{64}$/;
const SIGNERS = "signers";
const FORGOTTEN = "forgotten-";
/**
 * How long a newer revision must have been there before an older one is taken away, in milliseconds: no
 * process lives that long, so that none that began to read before finds neither.
 */
const SWEEP_AFTER = 90_000;

/** What is remembered of one signer, for people. */
export interface Remembered {
  /** The DID; for one that is too long to be the name of a folder, that folder's name. */
  readonly signer: string;
  readonly memory: SignerMemory;
}

/**
 * What a node remembers of signers between pulls (spec, "What a node remembers"): for each a folder of
 * empty files whose names say it all (traces.ts). Names are only added, but for revisions that a newer one
 * supersedes, so that processes side by side and those that are killed lose nothing and need no lock.
 *
 * Nothing that lies on the disk makes it throw: it is reported and not believed.
 */
export class SignerStore {
  readonly #directory: string;
  readonly #signers: string;
  readonly #report: (warning: string) => void;
  readonly #damaged: Damaged;
  readonly #recalled = new Map<Did, SignerMemory>();

  /**
   * @param directory absolute path; made where it is missing and its parent is not
   * @param options.report told each warning once: one sentence, unprintable characters included
   */
  constructor(directory: string, { report }: { readonly report: (warning: string) => void }) {
    this.#directory = directory;
    this.#signers = join(directory, SIGNERS);
    const reported = new Set<string>();
    this.#report = (warning) => {
      if (!reported.has(warning)) report(warning);
      reported.add(warning);
    };
    this.#damaged = new Damaged(directory, this.#report);
  }

  /** @param now milliseconds since 1970 */
  async recall(did: Did, now: number): Promise<SignerMemory> {
    const memory = await this.#recall(nameOf(did), now);
    this.#recalled.set(did, memory);
    return memory;
  }

  /** Adds what was seen. Where there is nothing new, nothing is written. */
  async remember(sighting: Sighting, now: number): Promise<void> {
    const { signer } = sighting;
    // What is remembered only grows, so that what was known before need not be looked for again.
    if (missingNames(sighting, this.#recalled.get(signer) ?? NOTHING_REMEMBERED, now).length === 0) return;
    const name = nameOf(signer);
    try {
      const { memory, revs } = await this.#read(name, now);
      const missing = missingNames(sighting, memory, now);
      if (missing.length === 0) return;
      if (memory.operations.size + memory.keys.size + missing.length > MAX_REMEMBERED) {
        throw new Error(`more than ${MAX_REMEMBERED} operations and keys; run: atcr-verify state forget ${signer}`);
      }
      const folder = await makeOwnFolder(this.#directory, SIGNERS, name);
      for (const trace of missing) await touch(join(folder, trace));
      for (const path of [folder, this.#signers, this.#directory]) await syncFolder(path);
      await sweep(folder, revs);
    } catch (error) {
      this.#report(`what was seen of ${name} is not remembered: ${(error as Error).message}`);
    }
  }

  /** All that is remembered, by name. */
  async list(now: number): Promise<readonly Remembered[]> {
    const names = await this.#list();
    const known = names.filter((name) => isDid(name) || SHORTENED.test(name)).toSorted();
    return Promise.all(known.map(async (signer) => ({ signer, memory: await this.#recall(signer, now) })));
  }

  /**
   * Forgets a signer, at once and whole.
   *
   * @returns whether anything was remembered
   * @throws Error where that is impossible
   */
  async forget(did: Did): Promise<boolean> {
    this.#recalled.delete(did);
    try {
      await checkWay(this.#signers);
      await rename(join(this.#signers, nameOf(did)), join(this.#directory, `${FORGOTTEN}${crypto.randomUUID()}`));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    }
    await syncFolder(this.#signers);
    // Those too that a process was killed over.
    const forgotten = (await readdir(this.#directory)).filter((name) => name.startsWith(FORGOTTEN));
    for (const name of forgotten) await rm(join(this.#directory, name), { recursive: true, force: true });
    return true;
  }

  async #recall(name: string, now: number): Promise<SignerMemory> {
    try {
      return (await this.#read(name, now)).memory;
    } catch (error) {
      const unusable = (error as Error).message;
      this.#report(`what this node remembers of ${name} is not used: ${unusable}`);
      return { ...NOTHING_REMEMBERED, unusable };
    }
  }

  async #list(): Promise<readonly string[]> {
    try {
      await checkWay(this.#signers);
      return await readdir(this.#signers);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) this.#report(`what this node remembers is not used: ${(error as Error).message}`);
      return [];
    }
  }

  /** @throws Error where the folder cannot be used */
  async #read(name: string, now: number): Promise<Traces> {
    const folder = join(this.#signers, name);
    const entries = await this.#entries(folder);
    const files: string[] = [];
    for (const entry of entries) {
      // Where a file system does not say what an entry is, it is looked at.
      if (entry.isFile() || (await isFile(join(folder, entry.name)))) files.push(entry.name);
      else await this.#damaged.setAside(join(folder, entry.name), "is no file");
    }
    const traces = readTraces(files, now);
    for (const damaged of traces.damaged) await this.#damaged.setAside(join(folder, damaged), "says nothing");
    for (const ahead of traces.ahead) {
      this.#report(`${join(folder, ahead)} is not used: it lies ahead of the clock, which one of them has wrong`);
    }
    return traces;
  }

  async #entries(folder: string): Promise<readonly Dirent[]> {
    let stats: Stats;
    try {
      await checkWay(this.#signers);
      stats = await lstat(folder);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    }
    if (!stats.isDirectory()) {
      await this.#damaged.setAside(folder, "is no folder");
      return [];
    }
    check(stats, folder);
    const entries = await readdir(folder, { withFileTypes: true });
    if (entries.length <= MAX_NAMES) return entries;
    await this.#damaged.setAside(folder, `has ${entries.length} entries, at most ${MAX_NAMES} are read`);
    return [];
  }
}

/** The folder of a signer. The longest names of hosts make a did:web too long for one. */
function nameOf(did: Did): string {
  return did.length <= LONGEST_NAME ? did : `sha256-${toHex(sha256(toUtf8(did)))}`;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch {
    return false; // gone in the meantime
  }
}

/** Makes an empty file; somebody else's is as good. */
async function touch(path: string): Promise<void> {
  try {
    await (await open(path, "wx", 0o644)).close();
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

/** Takes away revisions that a newer one supersedes, once that one has been there for {@link SWEEP_AFTER}. */
async function sweep(folder: string, revs: readonly Tid[]): Promise<void> {
  const names = revs.map((rev) => join(folder, `rev-${rev}`));
  for (let newest = names.length - 1; newest > 0; newest--) {
    if (!(await isSettled(names[newest] ?? ""))) continue;
    for (const older of names.slice(0, newest)) await rm(older, { force: true });
    return;
  }
}

async function isSettled(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).mtimeMs < Date.now() - SWEEP_AFTER;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false; // swept in the meantime
    throw error;
  }
}
