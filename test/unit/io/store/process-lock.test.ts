import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { isStopped } from "../../../../src/io/process/process-start.ts";
import { ProcessLocks, unlessFound } from "../../../../src/io/store/process-lock.ts";
import { isRunning, makeTemporaryDirectory, run } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

/** Longer than any test takes. */
const LONG = 60_000;
const SHORT = 100;

const root = makeTemporaryDirectory("locks");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

class Bed {
  readonly directory = join(root, String(++count), "cache");
  readonly path = join(this.directory, "locks", "work");
  readonly warnings: string[] = [];
  readonly processLocks = this.process();

  constructor() {
    mkdirSync(dirname(this.directory), { recursive: true });
  }

  /** What another program, started anew in this process, would have. */
  process(): ProcessLocks {
    return new ProcessLocks(this.directory, warned(this.warnings));
  }

  /** A lock of `work`. */
  write(holder: string): void {
    mkdirSync(dirname(this.path), { recursive: true });
    writeFileSync(this.path, holder);
  }

  get names(): readonly string[] {
    return readdirSync(dirname(this.path)).toSorted();
  }
}

/** A process that lives until the test is over. */
function live(): number {
  const child = spawn("/bin/sleep", ["60"], { stdio: "ignore" });
  children.push(child);
  if (child.pid === undefined) throw new Error("no process was started");
  return child.pid;
}

/** As a lock names its holder. */
function nameOf(pid: number, later = 0): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return `${pid} ${Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) + later}`;
}

/** A process that has ended, and whose parent never looks. */
async function zombie(): Promise<number> {
  const child = spawn("/bin/sh", ["-c", "/bin/sleep 0.2 & echo $!; exec /bin/sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  const pid = await new Promise<number>((done) => {
    child.stdout?.once("data", (text: Buffer) => done(Number(text.toString())));
  });
  await expect.poll(() => isRunning(pid)).toBe(false);
  return pid;
}

const nothing = () => Promise.resolve(undefined);

/** What comes of taking the lock for which nothing is ever found. */
async function outcomeOf({ processLocks, path }: Bed, maxWait = LONG): Promise<"ours" | "not ours"> {
  expect(await processLocks.findOrTake("work", maxWait, nothing)).toBeUndefined();
  return existsSync(path) && readFileSync(path, "utf8") === nameOf(process.pid) ? "ours" : "not ours";
}

const soon = (change: () => void) => setTimeout(change, SHORT);

describe("a lock", () => {
  it("is ours where nobody has it, and names this process until it is ended", async () => {
    const { processLocks, path, names, warnings } = await withTurn();
    expect([readFileSync(path, "utf8"), names]).toEqual([nameOf(process.pid), ["work"]]);
    processLocks.end("work");
    expect(existsSync(path)).toBe(false);
    expect(warnings).toEqual([]);
  });

  async function withTurn(): Promise<Bed> {
    const bed = new Bed();
    expect(await bed.processLocks.take("work")).toBe(true);
    return bed;
  }

  it("is ended by its name alone, or with all others", async () => {
    const bed = await withTurn();
    expect(await bed.processLocks.take("other-work")).toBe(true);
    bed.processLocks.end("no-work");
    expect(bed.names).toEqual(["other-work", "work"]);
    bed.processLocks.end("work");
    expect(bed.names).toEqual(["other-work"]);
    await bed.processLocks.take("work");
    bed.processLocks.endAll();
    expect(bed.names).toEqual([]);
    bed.processLocks.endAll();
    bed.processLocks.end("work");
  });

  it("of somebody else is not ended by us", async () => {
    const bed = new Bed();
    bed.write(nameOf(live()));
    expect(await bed.processLocks.take("work")).toBe(false);
    bed.processLocks.end("work");
    bed.processLocks.endAll();
    expect(bed.names).toEqual(["work"]);
  });

  it("is ours where the program took it before it started anew in the same process", async () => {
    const bed = new Bed();
    bed.write(nameOf(process.pid));
    expect(await bed.processLocks.take("work")).toBe(true);
    expect(bed.names).toEqual(["work"]);
    bed.processLocks.endAll();
    expect(bed.names).toEqual([]);
  });

  it("is held against all others of this process until it is given up", async () => {
    const bed = await withTurn();
    const other = bed.process();
    expect(await other.take("work")).toBe(false);
    const waiting = other.findOrTake("work", LONG, async () => (bed.names.length === 0 ? "given up" : undefined));
    other.endAll();
    expect(bed.names).toEqual(["work"]);
    bed.processLocks.end("work");
    expect(await waiting).toBe("given up");
    expect(await other.take("work")).toBe(true);
    other.endAll();
  });

  it("is left where it is another process's by now, as after this one was stopped", async () => {
    const bed = await withTurn();
    const other = nameOf(live());
    writeFileSync(bed.path, other);
    bed.processLocks.endAll();
    expect(readFileSync(bed.path, "utf8")).toBe(other);
  });

  it("is ended without a word where its file is gone", async () => {
    const bed = await withTurn();
    rmSync(bed.path);
    bed.processLocks.endAll();
    expect(bed.warnings).toEqual([]);
  });
});

describe("a lock of another process", () => {
  it.each<[string, (path: string, pid: number) => void]>([
    ["ends it", (path) => rmSync(path)],
    ["ends it and a third one takes it", (path) => writeFileSync(path, nameOf(live()))],
    ["is killed", (_, pid) => process.kill(pid, "SIGKILL")],
    ["is stopped", (_, pid) => process.kill(pid, "SIGSTOP")],
  ])("is waited for until that process %s", async (_, change) => {
    const bed = new Bed();
    const pid = live();
    bed.write(nameOf(pid));
    const begun = performance.now();
    soon(() => change(bed.path, pid));
    expect(await outcomeOf(bed)).toBe("not ours");
    expect(performance.now() - begun).toBeGreaterThan(SHORT / 2);
    expect(bed.warnings).toEqual([]);
  });

  it("is waited for no longer than patience lasts, where that process works on", async () => {
    const bed = new Bed();
    const pid = live();
    bed.write(nameOf(pid));
    const begun = performance.now();
    expect(await outcomeOf(bed, SHORT)).toBe("not ours");
    expect(performance.now() - begun).toBeGreaterThan(SHORT * 0.8 - 5);
    expect(readFileSync(bed.path, "utf8")).toBe(nameOf(pid));
  });

  it.each<[string, () => string | Promise<string>]>([
    [
      "is dead",
      async () => {
        const name = nameOf(live());
        children[0]?.kill("SIGKILL");
        await expect.poll(() => isRunning(Number(name.split(" ")[0]))).toBe(false);
        return name;
      },
    ],
    [
      "is stopped, as by Ctrl-Z",
      async () => {
        const pid = live();
        process.kill(pid, "SIGSTOP");
        await expect.poll(() => isStopped(pid)).toBe(true);
        return nameOf(pid);
      },
    ],
    ["is over, and its parent has not looked yet", async () => nameOf(await zombie())],
    ["had a pid that is another's now", () => nameOf(live(), 1)],
    ["says nothing", () => ""],
    ["says something else", () => "not a holder"],
    ["has no start time", () => `${process.pid}`],
    ["has more than a name", () => `${nameOf(live())}\n`],
    ["has pid 0", () => "0 0"],
    ["has a path for a pid", () => "self 1"],
  ])("is taken over where its holder %s", async (_, holder) => {
    const bed = new Bed();
    bed.write(await holder());
    expect(await outcomeOf(bed)).toBe("ours");
    expect(readFileSync(bed.path, "utf8")).toBe(nameOf(process.pid));
    expect([bed.names, bed.warnings]).toEqual([["work"], []]);
  });

  it.each<[string, (path: string) => unknown]>([
    ["a folder", (path) => mkdirSync(join(path, "deep"), { recursive: true })],
    ["a named pipe", (path) => run("mkfifo", [path])],
    ["a link to a turn of this process", (path) => linkTo(path, nameOf(process.pid))],
    ["a link to nowhere", (path) => symlinkSync("/nowhere", path)],
    [
      "a file of 1 GiB",
      (path) => {
        writeFileSync(path, nameOf(process.pid));
        truncateSync(path, 2 ** 30);
      },
    ],
  ])("is taken over where it is %s", async (_, make) => {
    const bed = new Bed();
    mkdirSync(dirname(bed.path), { recursive: true });
    await make(bed.path);
    expect(await outcomeOf(bed)).toBe("ours");
    expect([bed.names, readFileSync(bed.path, "utf8")]).toEqual([["work"], nameOf(process.pid)]);
  });

  function linkTo(path: string, holder: string): void {
    const target = join(dirname(dirname(path)), "target");
    writeFileSync(target, holder);
    symlinkSync(target, path);
  }
});

describe("the result of another process", () => {
  const inaMoment = () => {
    let there = false;
    soon(() => {
      there = true;
    });
    return async () => (there ? "result" : undefined);
  };

  it("is taken as soon as it is there, also while that process still holds the lock", async () => {
    const bed = new Bed();
    const holder = nameOf(live());
    bed.write(holder);
    expect(await bed.processLocks.findOrTake("work", LONG, inaMoment())).toBe("result");
    expect(readFileSync(bed.path, "utf8")).toBe(holder);
  });

  it("is found where it came between the last look and the lock", async () => {
    const bed = new Bed();
    expect(await bed.processLocks.findOrTake("work", LONG, async () => "result")).toBe("result");
    bed.processLocks.endAll();
    expect(bed.names).toEqual([]);
  });

  it("is looked for once more when that process has given up the lock", async () => {
    const bed = new Bed();
    bed.write(nameOf(live()));
    soon(() => rmSync(bed.path));
    const find = async () => (existsSync(bed.path) ? undefined : "result");
    expect(await bed.processLocks.findOrTake("work", LONG, find)).toBe("result");
  });

  it("is waited for by pauses that grow", async () => {
    const bed = new Bed();
    bed.write(nameOf(live()));
    let looks = 0;
    const find = async () => {
      looks++;
      return undefined;
    };
    await bed.processLocks.findOrTake("work", 1250, find);
    // With pauses as short as the first ones they would be 50 or more.
    expect(looks).toBeGreaterThan(3);
    expect(looks).toBeLessThan(30);
  });

  it("is waited for by each process with a patience of its own", async () => {
    const bed = new Bed();
    bed.write(nameOf(live()));
    const random = vi.spyOn(Math, "random").mockReturnValue(0.999);
    const patient = bed.processLocks.findOrTake("work", 4 * SHORT, nothing).then(() => "the patient one");
    await expect.poll(() => random.mock.calls.length, { interval: 1 }).toBeGreaterThan(0);
    random.mockReturnValue(0);
    const other = bed.processLocks.findOrTake("work", 4 * SHORT, nothing).then(() => "the other");
    expect(await Promise.race([patient, other])).toBe("the other");
    await patient;
    random.mockRestore();
  });

  it("that cannot be used ends the waiting with the reason", async () => {
    const bed = new Bed();
    bed.write(nameOf(live()));
    const find = () => Promise.reject(new Error("no time to look at it"));
    await expect(bed.processLocks.findOrTake("work", LONG, find)).rejects.toThrow("no time to look at it");
  });

  it("comes before that of our own work", async () => {
    expect(await unlessFound(new Promise<string>(() => {}), inaMoment())).toBe("result");
  });

  it("is not waited for once our own work is done", async () => {
    expect(await unlessFound(Promise.resolve("ours"), nothing)).toBe("ours");
    await expect(unlessFound(Promise.reject(new Error("no answer")), nothing)).rejects.toThrow("no answer");
  });
});

describe("where there is a doubt, a process works alone", () => {
  it.each<[string, RegExp, (bed: Bed) => void]>([
    ["others can write there", /can be written by others/, ({ directory }) => chmodSync(dirname(directory), 0o777)],
    ["a file is in place of the folder", /ENOTDIR/, ({ directory }) => writeFileSync(directory, "")],
    ["there is no place", /ENOENT/, ({ directory }) => rmSync(dirname(directory), { recursive: true })],
  ])("where %s", async (_, because, change) => {
    const bed = new Bed();
    change(bed);
    expect(await bed.processLocks.findOrTake("work", LONG, nothing)).toBeUndefined();
    expect(await bed.processLocks.take("work")).toBe(false);
    expect(bed.warnings).toHaveLength(1);
    expect(bed.warnings[0]).toMatch(/^lock\.not_taken: /);
    expect(bed.warnings[0]).toMatch(because);
    bed.processLocks.endAll();
  });
});

describe("locks that were left behind", () => {
  it("are cleared away where they are many and old", async () => {
    const bed = new Bed();
    bed.write("1 1");
    const folder = dirname(bed.path);
    const old = Date.now() / 1000 - 91;
    for (let n = 0; n < 300; n++) {
      const path = join(folder, `left-${n}`);
      writeFileSync(path, nameOf(process.pid));
      if (n % 3 > 0) utimesSync(path, old, old);
    }
    mkdirSync(join(folder, "left-folder", "deep"), { recursive: true });
    utimesSync(join(folder, "left-folder"), old, old);
    expect(await bed.processLocks.take("work")).toBe(true);
    expect(bed.names).toHaveLength(101);
    expect(bed.names).toContain("work");
  });

  it("are left where they are few", async () => {
    const bed = new Bed();
    bed.write("1 1");
    writeFileSync(join(dirname(bed.path), "left"), "");
    utimesSync(join(dirname(bed.path), "left"), 0, 0);
    await bed.processLocks.take("work");
    expect(bed.names).toEqual(["left", "work"]);
  });
});
