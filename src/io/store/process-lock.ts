import { linkSync, lstatSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { makeOwnFolder } from "../fs/folders.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import { isStopped, startOf } from "../process/process-start.ts";

/** Least and most milliseconds between two looks at what another process is working on. */
const POLL = { least: 20, most: 250 };
/** Each pause is this share of the time waited so far: a wait is longer by that much, and many waiters cost little. */
const POLL_SHARE = 1 / 4;
/** Most by which a process's waiting time differs from the average, as a fraction of it. */
const SPREAD = 1 / 5;
/** How often a lock whose holder is dead is taken over; where it happens again others are at it, and nobody waits. */
const MAX_TAKEN_OVER = 3;
/** Locks in the folder; more are left by killed processes, and are swept. */
const MAX_LOCKS = 256;
/** No process lives this long, in milliseconds: a file as old was left behind. */
const LEFT_BEHIND = 90_000;
/** Bytes of the name of a holder; a larger file is none of this program's, and is not read. */
const MAX_HOLDER = 64;
const LOCKS = "locks";

/** What comes of trying to lock some work. */
type Lock =
  | "ours"
  /** Another process holds it. */
  | { readonly isHeld: () => boolean }
  /** The lock could not be taken: its folder is unusable, or too many processes compete for it. */
  | "in doubt";

/**
 * Locks by which the processes of a node do the same work once: one of them does it and the others find its
 * result. A lock is a file that names its holder, by pid and start time. It saves work and decides nothing:
 * a holder that is dead or stopped is ignored, and in doubt a process works without a lock. The files are handled without
 * threads, whose start would cost more than the handling.
 */
export class ProcessLocks {
  readonly #directory: string;
  readonly #warn: Warn;
  /** Paths of the locks that all of this process hold. */
  static readonly #held = new Set<string>();
  /** Paths of the locks taken here. */
  readonly #ours = new Set<string>();

  /** @param directory absolute path; made where it is missing and its parent is not */
  constructor(directory: string, warn: Warn) {
    this.#directory = directory;
    this.#warn = warn;
  }

  /**
   * Locks some work, without waiting.
   *
   * @param work names the work: letters, digits and hyphens
   * @returns whether this process holds the lock now
   */
  async take(work: string): Promise<boolean> {
    return (await this.#lock(work)) === "ours";
  }

  /**
   * Locks some work, unless its result is there: while another process holds the lock, its result is waited for.
   * Each process loses patience at a time of its own, so that where the holder hangs one of them does the work
   * and the others find its result.
   *
   * @param work as for {@link take}
   * @param maxWait milliseconds to wait at most; a process waits for up to a fifth less or more than that
   * @param find looks for the result; also called once the lock is taken, for it may have come meanwhile
   * @returns the result; undefined where this process shall do the work, whether or not it holds the lock
   * @throws what `find` throws
   */
  async findOrTake<T>(work: string, maxWait: number, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const lock = await this.#lock(work);
    if (lock === "ours") return find();
    if (lock === "in doubt") return undefined;
    const begun = performance.now();
    const until = begun + maxWait * (1 - SPREAD + 2 * SPREAD * Math.random());
    for (let isHeld = true; isHeld && performance.now() < until; ) {
      await pause(Math.min(pauseAfter(performance.now() - begun), until - performance.now()));
      isHeld = lock.isHeld();
      // After taking the lock: its holder writes the result before releasing it.
      const found = await find();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Releases a lock that this process holds. Synchronous, for the end of the process; never throws. */
  end(work: string): void {
    for (const path of this.#ours) if (path.endsWith(`/${work}`)) this.#end(path);
  }

  /** Releases all locks that this process holds. */
  endAll(): void {
    for (const path of this.#ours) this.#end(path);
  }

  /** Without the threads that making it takes; undefined where it is not there. */
  #folder(): string | undefined {
    const folder = join(this.#directory, LOCKS);
    try {
      assertPathTrusted(folder);
      return folder;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async #lock(work: string): Promise<Lock> {
    try {
      const folder = this.#folder() ?? (await makeOwnFolder(this.#directory, LOCKS));
      return this.#claim(join(folder, work));
    } catch (error) {
      this.#warn({ code: "lock.not_taken", message: `the lock ${work} cannot be taken: ${(error as Error).message}` });
      return "in doubt";
    }
  }

  #claim(path: string): Lock {
    if (ProcessLocks.#held.has(path)) return { isHeld: () => ProcessLocks.#held.has(path) };
    const self = holderOf(process.pid);
    if (self === undefined) return "in doubt";
    for (let takenOver = 0; takenOver <= MAX_TAKEN_OVER; takenOver++) {
      if (claim(path, self)) {
        this.#hold(path);
        sweep(join(path, ".."));
        return "ours";
      }
      const holder = readHolder(path);
      if (holder === self) {
        // Taken before this program started anew in the same process: nothing in this process holds it now.
        this.#hold(path);
        return "ours";
      }
      if (holder !== undefined && isAlive(holder)) return { isHeld: () => isHeld(path, holder) };
      rmSync(path, { force: true, recursive: true });
    }
    return "in doubt";
  }

  #hold(path: string): void {
    ProcessLocks.#held.add(path);
    this.#ours.add(path);
  }

  #end(path: string): void {
    this.#ours.delete(path);
    ProcessLocks.#held.delete(path);
    try {
      // Another process has taken it over where this one was stopped meanwhile.
      if (readHolder(path) === holderOf(process.pid)) unlinkSync(path);
    } catch {
      // The next process sees that its holder is dead.
    }
  }
}

/**
 * Does the work of a lock, and takes the result of another process that comes first: of one that lost patience
 * earlier, or of a holder that was slow.
 *
 * @param find looks for that result
 * @throws what `work` ends with, and what `find` throws
 */
export async function unlessFound<T>(work: Promise<T>, find: () => Promise<T | undefined>): Promise<T> {
  const begun = performance.now();
  const isInvalidated = work.then(
    () => true,
    () => true,
  );
  while ((await Promise.race([isInvalidated, pause(pauseAfter(performance.now() - begun))])) !== true) {
    const found = await find();
    if (found !== undefined) return found;
  }
  return work;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** @returns whether it is ours now; whole from the beginning, so that no process reads half a name */
function claim(path: string, self: string): boolean {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    writeFileSync(temporary, self, { flag: "wx", mode: 0o644 });
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** @returns undefined where there is no such lock; a name of no process where it is anything but a file that names one */
function readHolder(path: string): string | undefined {
  try {
    const stats = lstatSync(path);
    if (!stats.isFile() || stats.size > MAX_HOLDER) return "";
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** @returns false where the lock was given up or is another process's by now, where its holder is dead, and in doubt */
function isHeld(path: string, holder: string): boolean {
  try {
    return readHolder(path) === holder && isAlive(holder);
  } catch {
    return false;
  }
}

/** @param waited milliseconds so far */
function pauseAfter(waited: number): number {
  // Spread, so that waiters do not wake up in the same moment.
  return Math.min(POLL.most, Math.max(POLL.least, waited * POLL_SHARE)) * (3 / 4 + Math.random() / 2);
}

/** `PID STARTTIME`; undefined where there is no such process. */
function holderOf(pid: number): string | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : `${pid} ${started}`;
}

/** Also false of one that is stopped: a person may have suspended `verify`, and pulls would wait for it until it goes on. */
function isAlive(holder: string): boolean {
  const pid = /^([1-9][0-9]{0,9}) [0-9]+$/.exec(holder)?.[1];
  return pid !== undefined && holderOf(Number(pid)) === holder && !isStopped(Number(pid));
}

function sweep(folder: string): void {
  const names = readdirSync(folder);
  if (names.length <= MAX_LOCKS) return;
  for (const name of names) {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    const isLeft = stats !== undefined && stats.mtimeMs < Date.now() - LEFT_BEHIND;
    if (isLeft) rmSync(path, { force: true, recursive: true });
  }
}
