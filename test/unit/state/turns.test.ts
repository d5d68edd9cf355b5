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
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { Turns } from "../../../src/state/turns.ts";
import { isRunning, makeTemporaryDirectory, run } from "../../support/process.ts";

/** Longer than any test takes. */
const LONG = 60_000;
const SHORT = 100;

const root = makeTemporaryDirectory("turns");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

class Bed {
  readonly directory = join(root, String(++count), "cache");
  readonly path = join(this.directory, "turns", "work");
  readonly warnings: string[] = [];
  readonly turns = this.process();

  constructor() {
    mkdirSync(dirname(this.directory), { recursive: true });
  }

  /** What another program, started anew in this process, would have. */
  process(): Turns {
    return new Turns(this.directory, (warning) => this.warnings.push(warning));
  }

  /** Somebody's turn at `work`. */
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

/** As a turn names its holder. */
function nameOf(pid: number, later = 0): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return `${pid} ${Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) + later}`;
}

/** A process that has ended, and whose parent never looks. */
async function zombie(): Promise<number> {
  const child = spawn("/bin/sh", ["-c", "/bin/true & echo $!; exec /bin/sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  const pid = await new Promise<number>((done) => {
    child.stdout?.once("data", (text: Buffer) => done(Number(text.toString())));
  });
  await expect.poll(() => isRunning(pid)).toBe(false);
  return pid;
}

const soon = (change: () => void) => setTimeout(change, SHORT);

describe("a turn", () => {
  it("is ours where nobody has it, and names this process until it is ended", async () => {
    const { turns, path, names, warnings } = await withTurn();
    expect([readFileSync(path, "utf8"), names]).toEqual([nameOf(process.pid), ["work"]]);
    turns.end("work");
    expect(existsSync(path)).toBe(false);
    expect(warnings).toEqual([]);
  });

  async function withTurn(): Promise<Bed> {
    const bed = new Bed();
    expect(await bed.turns.take("work", LONG)).toBe("ours");
    return bed;
  }

  it("is ended by its name alone, or with all others", async () => {
    const bed = await withTurn();
    expect(await bed.turns.take("other-work", LONG)).toBe("ours");
    bed.turns.end("no-work");
    expect(bed.names).toEqual(["other-work", "work"]);
    bed.turns.end("work");
    expect(bed.names).toEqual(["other-work"]);
    await bed.turns.take("work", LONG);
    bed.turns.endAll();
    expect(bed.names).toEqual([]);
    bed.turns.endAll();
    bed.turns.end("work");
  });

  it("of somebody else is not ended by us", async () => {
    const bed = new Bed();
    bed.write(nameOf(live()));
    expect(await bed.turns.take("work", SHORT)).toBe("alone");
    bed.turns.end("work");
    bed.turns.endAll();
    expect(bed.names).toEqual(["work"]);
  });

  it("is still ours where the program started anew in the same process", async () => {
    const bed = await withTurn();
    const again = bed.process();
    expect(await again.take("work", LONG)).toBe("ours");
    expect(bed.names).toEqual(["work"]);
    again.endAll();
    expect(bed.names).toEqual([]);
  });

  it("is ended without a word where its file is gone", async () => {
    const bed = await withTurn();
    rmSync(bed.path);
    bed.turns.endAll();
    expect(bed.warnings).toEqual([]);
  });
});

describe("a turn of another process", () => {
  it.each<[string, (path: string, pid: number) => void]>([
    ["ends it", (path) => rmSync(path)],
    ["ends it and a third one takes it", (path) => writeFileSync(path, nameOf(live()))],
    ["is killed", (_, pid) => process.kill(pid, "SIGKILL")],
  ])("is waited for until that process %s", async (_, change) => {
    const bed = new Bed();
    const pid = live();
    bed.write(nameOf(pid));
    const begun = performance.now();
    soon(() => change(bed.path, pid));
    expect(await bed.turns.take("work", LONG)).toBe("another had it");
    expect(performance.now() - begun).toBeGreaterThan(SHORT / 2);
    expect(bed.warnings).toEqual([]);
  });

  it.each([
    ["works on", () => {}],
    ["is frozen", (pid: number) => process.kill(pid, "SIGSTOP")],
  ])("is waited for no longer than patience lasts, where that process %s", async (_, change) => {
    const bed = new Bed();
    const pid = live();
    bed.write(nameOf(pid));
    change(pid);
    const begun = performance.now();
    expect(await bed.turns.take("work", SHORT)).toBe("alone");
    expect(performance.now() - begun).toBeGreaterThan(SHORT - 5);
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
    expect(await bed.turns.take("work", LONG)).toBe("ours");
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
    expect(await bed.turns.take("work", LONG)).toBe("ours");
    expect([bed.names, readFileSync(bed.path, "utf8")]).toEqual([["work"], nameOf(process.pid)]);
  });

  function linkTo(path: string, holder: string): void {
    const target = join(dirname(dirname(path)), "target");
    writeFileSync(target, holder);
    symlinkSync(target, path);
  }
});

describe("where there is a doubt, a process works alone", () => {
  it.each<[string, RegExp, (bed: Bed) => void]>([
    ["others can write there", /can be written by others/, ({ directory }) => chmodSync(dirname(directory), 0o777)],
    ["a file is in place of the folder", /ENOTDIR/, ({ directory }) => writeFileSync(directory, "")],
    ["there is no place", /ENOENT/, ({ directory }) => rmSync(dirname(directory), { recursive: true })],
  ])("where %s", async (_, because, change) => {
    const bed = new Bed();
    change(bed);
    expect(await bed.turns.take("work", LONG)).toBe("alone");
    expect(bed.warnings).toEqual([expect.stringMatching(/^no turn is taken at work: /)]);
    expect(bed.warnings[0]).toMatch(because);
    bed.turns.endAll();
  });
});

describe("turns that were left behind", () => {
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
    expect(await bed.turns.take("work", LONG)).toBe("ours");
    expect(bed.names).toHaveLength(101);
    expect(bed.names).toContain("work");
  });

  it("are left where they are few", async () => {
    const bed = new Bed();
    bed.write("1 1");
    writeFileSync(join(dirname(bed.path), "left"), "");
    utimesSync(join(dirname(bed.path), "left"), 0, 0);
    await bed.turns.take("work", LONG);
    expect(bed.names).toEqual(["left", "work"]);
  });
});
