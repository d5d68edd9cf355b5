import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Did, tidAt as ourTidAt } from "../../../../src/core/atproto/syntax.ts";
import { NO_HISTORY, type Observation } from "../../../../src/core/verify/signer-history.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { makeTemporaryDirectory, run } from "../../../support/process.ts";
import { requirement } from "../../../support/requirement.ts";
import { ALICE, operationCid, tidAt, writtenKey } from "../../../support/traces.ts";
import { warned } from "../../../support/warned.ts";

const NOW = Date.now();
const MINUTE = 60_000;
const BOB = "did:web:bob.example" as Did;
const [OLD, NEW] = [tidAt(NOW - 2 * MINUTE), tidAt(NOW - MINUTE)];
const KEY = writtenKey("a");
const SEEN: Observation = { signer: ALICE, revs: [OLD], operations: [operationCid("a"), operationCid("b")], key: KEY };
const KNOWN = { ...NO_HISTORY, rev: OLD, operations: new Set(SEEN.operations), keys: new Map([[KEY, NOW]]) };
/** What was set aside may have been a no: evidence from outside must be newer than now. */
const LOST = { ...KNOWN, floor: ourTidAt(NOW) };
const NOBODY = 65_534;
const canChown = requirement(
  "the memory, owned by others",
  process.geteuid?.() === 0 ? undefined : "run as root: folders are given to another user",
);

const root = makeTemporaryDirectory("state");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** A folder of its own, whose parent is there and which is not. */
class Bed {
  readonly directory = join(root, String(++count), "state");
  readonly warnings: string[] = [];

  constructor() {
    mkdirSync(dirname(this.directory), { recursive: true });
  }

  /** Another process's, so to speak. */
  get store(): SignerStore {
    return new SignerStore(this.directory, warned(this.warnings));
  }

  path(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  folder(signer: Did = ALICE): string {
    return this.path("signers", signer);
  }

  names(signer: Did = ALICE): readonly string[] {
    return readdirSync(this.folder(signer)).toSorted();
  }

  get damaged(): readonly string[] {
    return existsSync(this.path("damaged")) ? readdirSync(this.path("damaged")) : [];
  }

  static async withMemory(): Promise<Bed> {
    const bed = new Bed();
    await bed.store.recordObservation(SEEN, NOW);
    expect(bed.warnings).toEqual([]);
    return bed;
  }

  /** That nothing is believed, nothing thrown, and it is said once, however often it is asked for. */
  async expectUnused(because: RegExp): Promise<void> {
    const { store } = this;
    // What is set aside is gone; what lies there still is said to be of no use, and why.
    const unusable = because.source.includes("is not used") ? { unusable: expect.any(String) as string } : {};
    expect(await store.loadHistory(ALICE, NOW)).toEqual({ ...NO_HISTORY, ...unusable });
    expect(await store.loadHistory(ALICE, NOW)).toEqual({ ...NO_HISTORY, ...unusable });
    expect(this.warnings.filter((warning) => because.test(warning))).toHaveLength(1);
    expect(this.warnings).toHaveLength(1);
  }
}

describe("the memory", () => {
  it("recalls what was remembered, in another process too", async () => {
    const bed = await Bed.withMemory();
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
    expect(await bed.store.loadHistory(BOB, NOW)).toEqual(NO_HISTORY);
    expect(bed.warnings).toEqual([]);
  });

  it("is empty and makes nothing where nothing was seen", async () => {
    const bed = new Bed();
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(NO_HISTORY);
    await bed.store.recordObservation({ signer: ALICE, revs: [] }, NOW);
    expect(existsSync(bed.directory)).toBe(false);
    expect(bed.warnings).toEqual([]);
  });

  it("only grows: an older revision, fewer operations and another key take nothing away", async () => {
    const bed = await Bed.withMemory();
    const other = writtenKey("b");
    await bed.store.recordObservation({ signer: ALICE, revs: [NEW], operations: [], key: other }, NOW + 5);
    await bed.store.recordObservation(
      { signer: ALICE, revs: [OLD], operations: [operationCid("c")], key: KEY },
      NOW + 9,
    );
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual({
      ...NO_HISTORY,
      rev: NEW,
      operations: new Set([...(SEEN.operations ?? []), operationCid("c")]),
      keys: new Map([
        [KEY, NOW],
        [other, NOW + 5],
      ]),
    });
  });

  it("keeps signers apart, those too whose names are too long for a file", async () => {
    const bed = await Bed.withMemory();
    const label = "a".repeat(61);
    const long = (port: number) => `did:web:${label}.${label}.${label}.${label}.aaaaa%3A${port}` as Did;
    expect(long(65_535)).toHaveLength(269);
    const signers = [BOB, long(65_534), long(65_535)];
    for (const [i, signer] of signers.entries())
      await bed.store.recordObservation({ signer, revs: [tidAt(NOW - i)] }, NOW);
    for (const [i, signer] of signers.entries())
      expect((await bed.store.loadHistory(signer, NOW)).rev).toBe(tidAt(NOW - i));
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
    const listed = (await bed.store.list(NOW)).map(({ signer }) => signer);
    expect(listed).toEqual([
      ALICE,
      BOB,
      expect.stringMatching(/^sha256-[0-9a-f]{64}$/),
      expect.stringMatching(/^sha256-[0-9a-f]{64}$/),
    ]);
    expect(await bed.store.forget(long(65_535))).toBe(true);
    expect((await bed.store.loadHistory(long(65_534), NOW)).rev).toBe(tidAt(NOW - 1));
    expect(bed.warnings).toEqual([]);
  });

  it("is made for everybody to read and for one to write", async () => {
    const bed = new Bed();
    const umask = process.umask(0);
    await bed.store.recordObservation(SEEN, NOW).finally(() => process.umask(umask));
    const { stdout } = await run("find", [bed.directory, "-perm", "/022"]);
    expect(stdout).toBe("");
    expect(bed.names()).toHaveLength(4);
  });

  it("does not remember a revision ahead of the clock", async () => {
    const bed = new Bed();
    await bed.store.recordObservation({ signer: ALICE, revs: [tidAt(NOW + 6 * MINUTE)] }, NOW);
    expect(existsSync(bed.directory)).toBe(false);
  });

  it("does not use what lies ahead of the clock, and uses it when the clock is right again", async () => {
    const bed = await Bed.withMemory();
    const hourAgo = NOW - 60 * MINUTE;
    const { store } = bed;
    expect(await store.loadHistory(ALICE, hourAgo)).toEqual({ ...NO_HISTORY, operations: KNOWN.operations });
    expect(bed.warnings).toEqual([
      expect.stringMatching(/^history\.from_future: /),
      expect.stringMatching(/^history\.from_future: /),
    ]);
    expect(await store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
    expect(bed.damaged).toEqual([]);
  });

  it("stops at a bound, says so, and keeps what it has", async () => {
    const bed = await Bed.withMemory();
    const operations = Array.from({ length: 998 }, (_, i) => operationCid(String(i)));
    await bed.store.recordObservation({ signer: ALICE, revs: [NEW], operations }, NOW);
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.not_written: .* state forget did:plc/)]);
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
    await bed.store.recordObservation({ signer: ALICE, revs: [NEW], operations: operations.slice(0, 996) }, NOW);
    expect((await bed.store.loadHistory(ALICE, NOW)).operations.size).toBe(998);
    expect(bed.warnings).toHaveLength(1);
  });
});

describe("sweeping", () => {
  const revs = [5, 4, 3, 2, 1].map((minutes) => tidAt(NOW - minutes * MINUTE));
  const revNames = (bed: Bed) => bed.names().filter((name) => name.startsWith("rev-"));
  const age = (bed: Bed, rev: string, seconds: number) =>
    utimesSync(join(bed.folder(), `rev-${rev}`), Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);

  it("takes older revisions away when a newer one has been there longer than any process", async () => {
    const bed = new Bed();
    for (const rev of revs.slice(0, 4)) await bed.store.recordObservation({ signer: ALICE, revs: [rev] }, NOW);
    expect(revNames(bed)).toEqual(revs.slice(0, 4).map((rev) => `rev-${rev}`));
    age(bed, revs[2] ?? "", 100);
    age(bed, revs[0] ?? "", 100);
    age(bed, revs[3] ?? "", 80);
    await bed.store.recordObservation({ signer: ALICE, revs: revs.slice(4) }, NOW);
    expect(revNames(bed)).toEqual(revs.slice(2).map((rev) => `rev-${rev}`));
    expect((await bed.store.loadHistory(ALICE, NOW)).rev).toBe(revs[4]);
  });

  it("happens where something is written, and is no news by itself", async () => {
    const bed = new Bed();
    for (const rev of revs) await bed.store.recordObservation({ signer: ALICE, revs: [rev] }, NOW);
    for (const rev of revs) age(bed, rev, 100);
    await bed.store.recordObservation({ signer: ALICE, revs }, NOW);
    await bed.store.loadHistory(ALICE, NOW);
    expect(revNames(bed)).toHaveLength(5);
  });
});

describe("what is damaged", () => {
  const put: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    "a folder": async (path) => mkdirSync(path),
    "a link to a file": async (path) => symlinkSync("/etc/passwd", path),
    "a link to nowhere": async (path) => symlinkSync("/nonexistent", path),
    "a named pipe": (path) => run("mkfifo", [path]),
  };

  it.each(Object.entries(put))("is set aside: %s in place of a file", async (_, make) => {
    const bed = await Bed.withMemory();
    await make(join(bed.folder(), `rev-${NEW}`));
    const { store } = bed;
    const unusable = expect.stringMatching(/is no file$/);
    expect(await store.loadHistory(ALICE, NOW)).toEqual({ ...KNOWN, unusable });
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.damaged: /)]);
    await store.recordObservation({ signer: ALICE, revs: [OLD, NEW] }, NOW);
    expect(bed.damaged).toHaveLength(1);
    expect(bed.names()).toHaveLength(6);
    expect(await store.loadHistory(ALICE, NOW)).toMatchObject({ unusable });
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual({ ...LOST, rev: NEW });
    expect(bed.warnings).toHaveLength(1);
  });

  it.each(["rev-abc", "operation-", "key-z-1", "junk", "rev-zzzzzzzzzzzzz", "\u{1b}[31m", "x".repeat(255)])(
    "is set aside: a file called %j",
    async (name) => {
      const bed = await Bed.withMemory();
      writeFileSync(join(bed.folder(), name), "content");
      const unusable = expect.stringMatching(/says nothing$/);
      const { store } = bed;
      expect(await store.loadHistory(ALICE, NOW)).toEqual({ ...KNOWN, unusable });
      // Though it adds nothing.
      await store.recordObservation(SEEN, NOW);
      expect(bed.warnings).toEqual([expect.stringMatching(/^history\.damaged: /)]);
      expect(bed.damaged).toHaveLength(1);
      expect(bed.names()).toHaveLength(5);
    },
  );

  it("is left in place by whoever only loads it: a process that restarts finds it again", async () => {
    const bed = await Bed.withMemory();
    writeFileSync(join(bed.folder(), "junk"), "");
    writeFileSync(bed.folder(BOB), "");
    for (let i = 0; i < 2; i++) {
      const { store } = bed;
      expect(await store.loadHistory(ALICE, NOW)).toMatchObject({ unusable: expect.stringMatching(/says nothing$/) });
      expect(await store.loadHistory(BOB, NOW)).toMatchObject({ unusable: expect.stringMatching(/is no folder$/) });
      await store.list(NOW);
    }
    expect([bed.damaged, bed.names().includes("junk"), existsSync(bed.folder(BOB))]).toEqual([[], true, true]);
  });

  it("is said also where it is first seen when an observation is recorded", async () => {
    const bed = await Bed.withMemory();
    writeFileSync(join(bed.folder(), "junk"), "");
    await bed.store.recordObservation({ signer: ALICE, revs: [NEW] }, NOW);
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.damaged: \S+junk says nothing; /)]);
    expect(bed.damaged).toHaveLength(1);
  });

  it.each(
    Object.entries({ ...put, "a file": async (path: string) => writeFileSync(path, "") }).filter(
      ([n]) => n !== "a folder",
    ),
  )("is set aside: %s in place of a signer's folder, which is then made anew", async (_, make) => {
    const bed = await Bed.withMemory();
    rmSync(bed.folder(), { recursive: true });
    await make(bed.folder());
    const { store } = bed;
    const unusable = expect.stringMatching(/is no folder$/);
    expect(await store.loadHistory(ALICE, NOW)).toEqual({ ...NO_HISTORY, unusable });
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.damaged: /)]);
    await store.recordObservation(SEEN, NOW);
    // By the same process, though it has been set aside.
    expect(await store.loadHistory(ALICE, NOW)).toMatchObject({ unusable });
    expect(bed.warnings).toHaveLength(1);
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(LOST);
    expect(bed.damaged).toHaveLength(1);
  });

  it("is not followed: a link to another signer's folder", async () => {
    const bed = await Bed.withMemory();
    symlinkSync(ALICE, bed.folder(BOB));
    expect(await bed.store.loadHistory(BOB, NOW)).toMatchObject({ ...NO_HISTORY, unusable: expect.any(String) });
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
  });

  it("is a folder with more names than are ever written", async () => {
    const bed = await Bed.withMemory();
    for (let i = 0; i < 8000 - 4; i++) writeFileSync(join(bed.folder(), `operation-${operationCid(`n${i}`)}`), "");
    expect((await bed.store.loadHistory(ALICE, NOW)).operations.size).toBe(7998);
    writeFileSync(join(bed.folder(), `operation-${operationCid("more")}`), "");
    const unusable = expect.stringMatching(/has 8001 entries, at most 8000 are read$/);
    const { store } = bed;
    expect(await store.loadHistory(ALICE, NOW)).toEqual({ ...NO_HISTORY, unusable });
    await store.recordObservation(SEEN, NOW);
    expect([bed.names().length, bed.damaged.length]).toEqual([5, 1]);
  });

  it("is set aside by one of two that find it", async () => {
    const bed = await Bed.withMemory();
    writeFileSync(join(bed.folder(), "junk"), "");
    const stores = [bed.store, bed.store];
    const both = await Promise.all(stores.map((store) => store.loadHistory(ALICE, NOW)));
    await Promise.all(stores.map((store) => store.recordObservation(SEEN, NOW)));
    const unusable = expect.stringMatching(/says nothing$/);
    expect(both).toEqual([
      { ...KNOWN, unusable },
      { ...KNOWN, unusable },
    ]);
    for (const warning of bed.warnings)
      expect(warning).toMatch(/^history\.damaged: .*; it is damaged and not used, and will/);
    expect([bed.damaged.length, bed.names().length]).toEqual([1, 5]);
  });

  it("is left where it lies when too much of it was set aside", async () => {
    const bed = await Bed.withMemory();
    mkdirSync(bed.path("damaged"));
    for (let i = 0; i < 99; i++) writeFileSync(bed.path("damaged", String(i)), "");
    for (const name of ["one", "two"]) writeFileSync(join(bed.folder(), name), "");
    const unusable = expect.stringMatching(/says nothing$/);
    const { store } = bed;
    expect(await store.loadHistory(ALICE, NOW)).toEqual({ ...KNOWN, unusable });
    await store.recordObservation({ signer: ALICE, revs: [NEW] }, NOW);
    expect(bed.damaged).toHaveLength(100);
    expect(bed.names()).toHaveLength(7);
    expect(bed.warnings).toEqual([
      expect.stringMatching(/^history\.damaged: .*one says nothing/),
      expect.stringMatching(/^history\.damaged: .*two says nothing/),
      expect.stringMatching(/^history\.damaged: .*full/),
    ]);
  });

  it("that is a whole folder and cannot be moved is not written to", async () => {
    const bed = await Bed.withMemory();
    rmSync(bed.folder(), { recursive: true });
    writeFileSync(bed.folder(), "as it was");
    mkdirSync(bed.path("damaged"));
    for (let i = 0; i < 100; i++) writeFileSync(bed.path("damaged", String(i)), "");
    await bed.store.recordObservation(SEEN, NOW);
    expect(bed.warnings.at(-1)).toMatch(/^history\.not_written: .* is no folder$/);
    expect(readFileSync(bed.folder(), "utf8")).toBe("as it was");
  });

  it.each(["state", "signers"] as const)("may be a file in place of the folder %s", async (what) => {
    const bed = await Bed.withMemory();
    const path = what === "state" ? bed.directory : bed.path("signers");
    rmSync(path, { recursive: true });
    writeFileSync(path, "");
    await bed.expectUnused(/is not used: ENOTDIR/);
    await bed.store.recordObservation(SEEN, NOW);
    expect(bed.warnings.at(-1)).toMatch(/^history\.not_written: .*ENOTDIR/);
  });
});

describe("who can write", () => {
  it.each(["parent", "state", "signers", "signer"] as const)("decides: others can write the %s", async (what) => {
    const bed = await Bed.withMemory();
    const path = {
      parent: dirname(bed.directory),
      state: bed.directory,
      signers: bed.path("signers"),
      signer: bed.folder(),
    };
    for (const mode of [0o775, 0o757]) {
      bed.warnings.length = 0;
      chmodSync(path[what], mode);
      await bed.expectUnused(/is not used: \S+ can be written by others \(mode 7.7?.?\); run: chmod go-w/);
      const before = bed.names();
      await bed.store.recordObservation({ signer: ALICE, revs: [NEW] }, NOW);
      expect(bed.names()).toEqual(before);
      expect(bed.warnings.at(-1)).toMatch(/^history\.not_written: .*can be written/);
    }
    chmodSync(path[what], 0o755);
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
  });

  it("decides over a folder behind a link too", async () => {
    const bed = await Bed.withMemory();
    const elsewhere = join(dirname(bed.directory), "elsewhere");
    renameSync(bed.directory, elsewhere);
    symlinkSync("elsewhere", bed.directory);
    await bed.store.recordObservation({ signer: ALICE, revs: [NEW] }, NOW);
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual({ ...KNOWN, rev: NEW });
    chmodSync(elsewhere, 0o777);
    await bed.expectUnused(/is not used: \S+elsewhere can be written by others/);
  });

  it("is not empty but unusable behind a link that leads nowhere", async () => {
    for (const names of [[], ["signers"]]) {
      const bed = await Bed.withMemory();
      renameSync(bed.path(...names), `${bed.path(...names)}.moved`);
      symlinkSync("/nonexistent", bed.path(...names));
      await bed.expectUnused(/is not used: ENOENT/);
    }
  });

  it("decides before anything is made", async () => {
    const bed = new Bed();
    chmodSync(dirname(bed.directory), 0o777);
    await bed.store.recordObservation(SEEN, NOW);
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.not_written: .*can be written/)]);
    expect(existsSync(bed.directory)).toBe(false);
  });

  it("decides over a folder that somebody else was quicker to make", async () => {
    const bed = new Bed();
    chmodSync(dirname(bed.directory), 0o1777);
    mkdirSync(bed.directory, { mode: 0o755 });
    chmodSync(bed.directory, 0o777);
    await bed.store.recordObservation(SEEN, NOW);
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.not_written: .*can be written/)]);
  });

  it("decides before anything is made where a link leads", async () => {
    const bed = new Bed();
    const elsewhere = join(dirname(bed.directory), "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, bed.directory);
    chmodSync(dirname(bed.directory), 0o777);
    await bed.store.recordObservation(SEEN, NOW);
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(bed.warnings).toHaveLength(1);
  });

  it("is asked again before anything is written", async () => {
    const bed = await Bed.withMemory();
    const { store } = bed;
    expect(await store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
    chmodSync(bed.directory, 0o777);
    await store.recordObservation({ signer: ALICE, revs: [NEW] }, NOW);
    expect(bed.names()).toHaveLength(4);
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.not_written: .*can be written/)]);
  });

  it("is nobody where the parent is missing", async () => {
    const bed = new Bed();
    rmSync(dirname(bed.directory), { recursive: true });
    await bed.store.recordObservation(SEEN, NOW);
    expect(bed.warnings).toEqual([expect.stringMatching(/^history\.not_written: .*ENOENT/)]);
  });
});

describe.runIf(canChown)("who owns it", () => {
  it.each(["parent", "state", "signers", "signer"] as const)("decides: somebody else owns the %s", async (what) => {
    const bed = await Bed.withMemory();
    const path = {
      parent: dirname(bed.directory),
      state: bed.directory,
      signers: bed.path("signers"),
      signer: bed.folder(),
    };
    chownSync(path[what], NOBODY, NOBODY);
    await bed.expectUnused(/is not used: \S+ belongs to user 65534, expected root/);
  });

  it("lets a person read who cannot write, and says that nothing is remembered", async () => {
    const bed = await Bed.withMemory();
    chmodSync(root, 0o755);
    const file = join(root, "sightings.json");
    writeFileSync(file, JSON.stringify([SEEN, { signer: ALICE, revs: [NEW] }]));
    const script = join(import.meta.dirname, "../../../support/remember-process.ts");
    const setpriv = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", process.execPath, script];
    const { code, stdout, stderr } = await run("setpriv", [...setpriv, bed.directory, file]);
    expect([code, stdout]).toEqual([0, "0\n1\n"]);
    expect(stderr).toMatch(/^the history of did:plc:\S+ cannot be updated: EACCES[^\n]*\n$/);
    expect(await bed.store.loadHistory(ALICE, NOW)).toEqual(KNOWN);
  });
});

describe("forgetting", () => {
  it("is of one signer, whole, and says whether there was anything", async () => {
    const bed = await Bed.withMemory();
    await bed.store.recordObservation({ signer: BOB, revs: [OLD] }, NOW);
    const { store } = bed;
    expect(await store.forget(ALICE)).toBe(true);
    expect(await store.forget(ALICE)).toBe(false);
    expect(await store.loadHistory(ALICE, NOW)).toEqual(NO_HISTORY);
    expect((await store.loadHistory(BOB, NOW)).rev).toBe(OLD);
    expect(readdirSync(bed.directory)).toEqual(["signers"]);
    expect(await new Bed().store.forget(ALICE)).toBe(false);
  });

  it("clears away what a killed process had begun to forget", async () => {
    const bed = await Bed.withMemory();
    mkdirSync(bed.path("forgotten-abc", "deep"), { recursive: true });
    expect(await bed.store.forget(ALICE)).toBe(true);
    expect(readdirSync(bed.directory)).toEqual(["signers"]);
  });

  it("is refused where somebody else could have a say", async () => {
    const bed = await Bed.withMemory();
    chmodSync(bed.directory, 0o777);
    await expect(bed.store.forget(ALICE)).rejects.toThrow(/can be written by others/);
    expect(bed.names()).toHaveLength(4);
  });
});

describe("listing", () => {
  it("passes over what is no signer's, and is empty where there is nothing", async () => {
    const bed = new Bed();
    expect(await bed.store.list(NOW)).toEqual([]);
    await bed.store.recordObservation(SEEN, NOW);
    writeFileSync(bed.path("signers", "README"), "");
    mkdirSync(bed.path("signers", "did:plc:short"));
    expect(await bed.store.list(NOW)).toEqual([{ signer: ALICE, memory: KNOWN }]);
    expect(bed.warnings).toEqual([]);
  });
});
