import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
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
import { afterAll, describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { FileCache, UNSEALED } from "../../../../src/io/fs/file-cache.ts";
import { makeTemporaryDirectory, run } from "../../../support/process.ts";
import { requirement } from "../../../support/requirement.ts";
import { warned } from "../../../support/warned.ts";

const BOUNDS = { bytes: 1000, count: 128 };
const canChown = requirement(
  "pieces, owned by others",
  process.geteuid?.() === 0 ? undefined : "run as root: files are given to another user",
);

const root = makeTemporaryDirectory("pieces");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
const bytesOf = (length: number) => new Uint8Array(length).fill(120);

class Bed {
  readonly directory = join(root, String(++count), "cache");
  readonly folder = join(this.directory, "things");
  readonly path = join(this.folder, "one");
  readonly warnings: string[] = [];
  readonly files = new FileCache(this.directory, "things", BOUNDS, UNSEALED, warned(this.warnings));

  constructor() {
    mkdirSync(dirname(this.directory), { recursive: true });
  }

  static async withPiece(): Promise<Bed> {
    const bed = new Bed();
    await bed.files.write("one", toUtf8("as it was"));
    expect(bed.warnings).toEqual([]);
    return bed;
  }

  get names(): readonly string[] {
    return readdirSync(this.folder).toSorted();
  }

  async text(name = "one"): Promise<string | undefined> {
    return text(this.files.read(name));
  }

  /** That nothing is found, nothing thrown, it is said, and the next content takes the place. */
  async expectUnused(because: RegExp): Promise<void> {
    expect(await this.text()).toBeUndefined();
    expect(this.warnings).toEqual([expect.stringMatching(/^cache\.unusable: /)]);
    expect(this.warnings[0]).toMatch(because);
    expect(this.warnings[0]).toContain(this.path);
    await this.files.write("one", toUtf8("as it is"));
    expect(await this.text()).toBe("as it is");
    expect(this.warnings).toHaveLength(1);
    expect(lstatSync(this.path).isFile()).toBe(true);
  }
}

describe("a piece", () => {
  it("is found by its name", async () => {
    const bed = await Bed.withPiece();
    await bed.files.write("two", toUtf8("another"));
    expect([await bed.text(), await bed.text("two"), await bed.text("three")]).toEqual([
      "as it was",
      "another",
      undefined,
    ]);
    expect(bed.warnings).toEqual([]);
  });

  it("is nobody else's to read", async () => {
    const bed = await Bed.withPiece();
    expect(lstatSync(bed.path).mode & 0o777).toBe(0o600);
  });

  it("is not there where nothing was written, and nothing is made by looking", async () => {
    const bed = new Bed();
    expect(await bed.text()).toBeUndefined();
    expect(bed.files.list()).toEqual([]);
    await bed.files.remove((name) => name === "one");
    expect(await bed.files.remove(() => true)).toBe(0);
    expect(bed.warnings).toEqual([]);
    expect(existsSync(bed.directory)).toBe(false);
  });

  it("is replaced by newer, and leaves no other file", async () => {
    const bed = await Bed.withPiece();
    await bed.files.write("one", toUtf8("as it is"));
    expect([await bed.text(), bed.names]).toEqual(["as it is", ["one"]]);
  });

  it("is whole whenever it is read while others write it", async () => {
    const bed = await Bed.withPiece();
    const writing = Array.from({ length: 20 }, (_, i) => bed.files.write("one", toUtf8(String(i % 10).repeat(990))));
    const reading = Array.from({ length: 20 }, async () => bed.text());
    await Promise.all(writing);
    for (const read of await Promise.all(reading)) expect(read).toMatch(/^(?:as it was|(\d)\1{989})$/);
    expect([bed.warnings, bed.names]).toEqual([[], ["one"]]);
  });

  it("is listed and taken away by name", async () => {
    const bed = await Bed.withPiece();
    for (const name of ["a1", "a2", "b1", "b2"]) await bed.files.write(name, bytesOf(1));
    writeFileSync(join(bed.folder, `a1.${crypto.randomUUID()}`), "being written");
    expect(bed.files.list().toSorted()).toEqual(["a1", "a2", "b1", "b2", "one"]);
    await bed.files.remove((name) => ["one", "b1", "not-there"].includes(name));
    expect(bed.files.list().toSorted()).toEqual(["a1", "a2", "b2"]);
    expect(await bed.files.remove((name) => name === "a1" || name === "a2")).toBe(2);
    expect(bed.files.list()).toEqual(["b2"]);
    expect(bed.warnings).toEqual([]);
  });
});

describe("a bound", () => {
  it("is the size of a piece", async () => {
    const bed = new Bed();
    await bed.files.write("one", bytesOf(1000));
    expect([bed.files.read("one")?.length, bed.warnings]).toEqual([1000, []]);
    await bed.files.write("two", bytesOf(1001));
    expect(bed.warnings).toEqual([expect.stringMatching(/^cache\.not_written: \S+two .* 1001 bytes/)]);
    expect(bed.names).toEqual(["one"]);
  });

  it("is the number of pieces: the oldest make room", async () => {
    const bed = await Bed.withPiece();
    // Those with higher numbers are older.
    for (let n = 2; n <= 127; n++) {
      writeFileSync(join(bed.folder, String(n)), "");
      utimesSync(join(bed.folder, String(n)), 1_000_000 - n, 1_000_000 - n);
    }
    await bed.files.write("new", bytesOf(1));
    expect(bed.names).toHaveLength(128);
    await bed.files.write("newer", bytesOf(1));
    expect(bed.names).toHaveLength(128 - 2 + 1);
    for (const name of ["one", "2", "125", "new", "newer"]) expect(bed.names).toContain(name);
    for (const name of ["126", "127"]) expect(bed.names).not.toContain(name);
    expect(bed.warnings).toEqual([]);
  });

  it("holds for what others have put there, folders among them", async () => {
    const bed = await Bed.withPiece();
    for (let n = 0; n < 300; n++) mkdirSync(join(bed.folder, `folder ${n}`, "deep"), { recursive: true });
    await bed.files.write("two", bytesOf(1));
    expect(bed.names.length).toBeLessThanOrEqual(128);
    expect(await bed.text("two")).toBe("x");
  });

  it("is how long a temporary file of a killed process stays", async () => {
    const bed = await Bed.withPiece();
    const hour = 3600;
    const temporary = (age: number) => {
      const path = `${bed.path}.${crypto.randomUUID()}`;
      writeFileSync(path, "");
      utimesSync(path, Date.now() / 1000 - age, Date.now() / 1000 - age);
      return path;
    };
    const [stale, fresh] = [temporary(hour + 60), temporary(hour - 60)];
    await bed.files.write("two", bytesOf(1));
    expect([existsSync(stale), existsSync(fresh)]).toEqual([false, true]);
  });
});

describe("what is damaged", () => {
  const instead = (make: (path: string) => unknown) => async (bed: Bed) => {
    rmSync(bed.path);
    await make(bed.path);
  };

  it.each<[string, RegExp, (bed: Bed) => unknown]>([
    ["a file of 1 GiB", /1073741824 bytes/, (bed) => truncateSync(bed.path, 2 ** 30)],
    ["a byte too many", /1001 bytes/, (bed) => truncateSync(bed.path, 1001)],
    ["a folder", /is not a regular file/, instead((path) => mkdirSync(join(path, "deep"), { recursive: true }))],
    ["a named pipe", /is not a regular file/, instead((path) => run("mkfifo", [path]))],
    ["a link", /ELOOP/, instead((path) => symlinkSync("/etc/passwd", path))],
    ["a link to nowhere", /ELOOP/, instead((path) => symlinkSync("/nowhere", path))],
    ["a file others can write", /can be written by others \(mode 602\)/, (bed) => chmodSync(bed.path, 0o602)],
    ["a file a group can write", /can be written by others \(mode 620\)/, (bed) => chmodSync(bed.path, 0o620)],
  ])("is not used, and replaced: %s", async (_, because, damage) => {
    const bed = await Bed.withPiece();
    await damage(bed);
    await bed.expectUnused(because);
  });

  it("leaves no file open, whether it is used or not", async () => {
    const bed = await Bed.withPiece();
    const open = () => readdirSync("/proc/self/fd").length;
    const before = open();
    for (let i = 0; i < 50; i++) bed.files.read("one");
    writeFileSync(bed.path, new Uint8Array(BOUNDS.bytes + 1));
    for (let i = 0; i < 50; i++) bed.files.read("one");
    expect(open()).toBeLessThan(before + 25);
  });

  it("is said by whoever finds it, of what it is and why", async () => {
    const bed = await Bed.withPiece();
    bed.files.damaged("one", "it says nothing");
    expect(bed.warnings).toEqual([expect.stringMatching(`^cache.unusable: ${bed.path} .*it says nothing$`)]);
  });

  it("does not follow a link when it is replaced or taken away", async () => {
    const bed = await Bed.withPiece();
    const target = join(bed.directory, "target");
    writeFileSync(target, "as it was");
    for (const change of [() => bed.files.write("one", bytesOf(1)), () => bed.files.remove((name) => name === "one")]) {
      rmSync(bed.path, { force: true });
      symlinkSync(target, bed.path);
      await change();
      expect(readFileSync(target, "utf8")).toBe("as it was");
      expect(lstatSync(bed.path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false).toBe(false);
    }
  });

  it("is never fatal: a file in place of the folder", async () => {
    const bed = new Bed();
    writeFileSync(bed.directory, "");
    await bed.files.write("one", bytesOf(1));
    expect(await bed.text()).toBeUndefined();
    await bed.files.remove((name) => name === "one");
    expect([bed.files.list(), await bed.files.remove(() => true)]).toEqual([[], 0]);
    expect(bed.warnings).toEqual([
      expect.stringMatching(/^cache\.not_written: .*ENOTDIR/),
      expect.stringMatching(/^cache\.unusable: .*ENOTDIR/),
      expect.stringMatching(/^cache\.not_written: .*ENOTDIR/),
      expect.stringMatching(/^cache\.unusable: .*ENOTDIR/),
    ]);
  });
});

describe("who can write", () => {
  it.each([
    ["parent", 0o777],
    ["cache", 0o777],
    ["cache", 0o775],
    ["things", 0o777],
    ["things", 0o770],
  ] as const)("decides: others can write the %s (%i)", async (what, mode) => {
    const bed = await Bed.withPiece();
    const path = { parent: dirname(bed.directory), cache: bed.directory, things: bed.folder };
    chmodSync(path[what], mode);
    expect(await bed.text()).toBeUndefined();
    expect(bed.files.list()).toEqual([]);
    await bed.files.write("two", bytesOf(1));
    await bed.files.remove((name) => name === "one");
    await bed.files.remove(() => true);
    expect(bed.names).toEqual(["one"]);
    expect(bed.warnings).toHaveLength(4);
    for (const warning of bed.warnings) expect(warning).toMatch(/^cache\.(?:unusable|not_written): .*can be written/);
  });

  it("decides before anything is made", async () => {
    const bed = new Bed();
    chmodSync(dirname(bed.directory), 0o777);
    await bed.files.write("one", bytesOf(1));
    expect(bed.warnings).toEqual([expect.stringMatching(/^cache\.not_written: .*can be written/)]);
    expect(existsSync(bed.directory)).toBe(false);
  });

  it("is nobody where the parent is missing", async () => {
    const bed = new Bed();
    rmSync(dirname(bed.directory), { recursive: true });
    await bed.files.write("one", bytesOf(1));
    expect(bed.warnings).toEqual([expect.stringMatching(/^cache\.not_written: .*ENOENT/)]);
  });

  it("decides also behind a link: others can write where it leads", async () => {
    const bed = await Bed.withPiece();
    const elsewhere = join(root, "elsewhere");
    mkdirSync(join(elsewhere, "things"), { recursive: true });
    writeFileSync(join(elsewhere, "things", "one"), "theirs");
    chmodSync(elsewhere, 0o777);
    rmSync(bed.directory, { recursive: true });
    symlinkSync(elsewhere, bed.directory);
    expect(await bed.text()).toBeUndefined();
    expect(bed.warnings).toEqual([expect.stringMatching(/^cache\.unusable: .*elsewhere can be written/)]);
  });
});

describe.runIf(canChown)("who owns it", () => {
  it.each(["directory", "folder", "path"] as const)("decides: somebody else owns the %s", async (what) => {
    const bed = await Bed.withPiece();
    chownSync(bed[what], 65_534, 65_534);
    expect(await bed.text()).toBeUndefined();
    expect(bed.warnings).toEqual([expect.stringMatching(/^cache\.unusable: .*belongs to user 65534/)]);
  });
});
