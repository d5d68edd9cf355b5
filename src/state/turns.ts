import { linkSync, lstatSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "../disk/error-code.ts";
import { makeOwnFolder } from "../disk/folders.ts";
import { checkWay } from "../disk/trusted-way.ts";

/** Milliseconds between two looks at whether another process has ended its turn. */
const POLL = 20;
/** How often a turn whose holder is dead is taken over; where it happens again others are at it, and nobody waits. */
const MAX_TAKEN_OVER = 3;
/** Files of turns in the folder; more are left by killed processes, and are swept. */
const MAX_TURNS = 256;
/** No process lives this long, in milliseconds: a file as old was left behind. */
const LEFT_BEHIND = 90_000;
/** Bytes of the name of a holder; a larger file is none of this program's, and is not read. */
const MAX_HOLDER = 64;
/** States of a process that is over: a zombie, and dead. */
const OVER: ReadonlySet<string> = new Set(["Z", "X"]);
const TURNS = "turns";

/** Whose turn it is: ours; another process had it and has ended it; or nobody's business, in doubt. */
export type Turn = "ours" | "another had it" | "alone";

/**
 * Turns that the processes of a node take at the same work, so that one does it and the others find what it
 * found. A turn is a file that names its holder, by pid and start time. It saves work and decides nothing:
 * a holder that is dead is ignored, and in doubt a process works alone. The files are handled without threads,
 * whose start would cost more than the handling.
 */
export class Turns {
  readonly #directory: string;
  readonly #report: (warning: string) => void;
  /** Paths of the turns that are ours. */
  readonly #ours = new Set<string>();

  /** @param directory absolute path; made where it is missing and its parent is not */
  constructor(directory: string, report: (warning: string) => void) {
    this.#directory = directory;
    this.#report = report;
  }

  /**
   * Takes the turn, or waits until another process has ended its own.
   *
   * @param work names the work: letters, digits and hyphens
   * @param patience most milliseconds to wait
   */
  async take(work: string, patience: number): Promise<Turn> {
    try {
      const folder = this.#folder() ?? (await makeOwnFolder(this.#directory, TURNS));
      return await this.#take(join(folder, work), performance.now() + patience);
    } catch (error) {
      this.#report(`no turn is taken at ${work}: ${(error as Error).message}`);
      return "alone";
    }
  }

  /** Ends a turn of ours. Synchronous, for the end of the process; never throws. */
  end(work: string): void {
    for (const path of this.#ours) if (path.endsWith(`/${work}`)) this.#end(path);
  }

  /** Ends all turns of ours. */
  endAll(): void {
    for (const path of this.#ours) this.#end(path);
  }

  /** Without the threads that making it takes; undefined where it is not there. */
  #folder(): string | undefined {
    const folder = join(this.#directory, TURNS);
    try {
      checkWay(folder);
      return folder;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async #take(path: string, until: number): Promise<Turn> {
    const self = holderOf(process.pid);
    if (self === undefined) return "alone";
    for (let takenOver = 0; takenOver <= MAX_TAKEN_OVER; takenOver++) {
      if (claim(path, self)) {
        this.#ours.add(path);
        sweep(join(path, ".."));
        return "ours";
      }
      const holder = readHolder(path);
      if (holder === self) {
        // Taken before this program started anew in the same process.
        this.#ours.add(path);
        return "ours";
      }
      if (holder !== undefined && isAlive(holder)) {
        const ended = await waitFor(path, holder, until);
        return ended ? "another had it" : "alone";
      }
      rmSync(path, { force: true, recursive: true });
    }
    return "alone";
  }

  #end(path: string): void {
    this.#ours.delete(path);
    try {
      unlinkSync(path);
    } catch {
      // Whoever finds it sees that its holder is dead.
    }
  }
}

/** @returns whether it is ours now; whole from the beginning, so that nobody reads half a name */
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

/** @returns undefined where there is no such turn; a name of nobody where it is anything but a file that names one */
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

/** @returns whether it was ended, before time or its holder's life was over */
async function waitFor(path: string, holder: string, until: number): Promise<boolean> {
  while (performance.now() < until) {
    await new Promise((done) => setTimeout(done, POLL));
    if (readHolder(path) !== holder || !isAlive(holder)) return true;
  }
  return false;
}

/**
 * `PID STARTTIME`, which together no two processes of one boot have (proc_pid_stat(5), field 22).
 *
 * @returns undefined where there is no such process, or one that is over and whose parent has not looked yet
 */
function holderOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name before it, in parentheses, may hold anything.
    const [state = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const started = rest[18];
    return started === undefined || OVER.has(state) ? undefined : `${pid} ${started}`;
  } catch {
    return undefined;
  }
}

function isAlive(holder: string): boolean {
  const pid = /^([1-9][0-9]{0,9}) [0-9]+$/.exec(holder)?.[1];
  return pid !== undefined && holderOf(Number(pid)) === holder;
}

function sweep(folder: string): void {
  const names = readdirSync(folder);
  if (names.length <= MAX_TURNS) return;
  for (const name of names) {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    const isLeft = stats !== undefined && stats.mtimeMs < Date.now() - LEFT_BEHIND;
    if (isLeft) rmSync(path, { force: true, recursive: true });
  }
}
