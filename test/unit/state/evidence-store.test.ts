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
import type { Did } from "../../../src/atproto/syntax.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import { EvidenceStore } from "../../../src/state/evidence-store.ts";
import { writeBundle } from "../../../src/verify/bundle.ts";
import type { Evidence } from "../../../src/verify/evidence.ts";
import type { KeptKey } from "../../../src/verify/kept.ts";
import { makeTemporaryDirectory, run } from "../../support/process.ts";
import { requirement } from "../../support/requirement.ts";
import { ALICE } from "../../support/traces.ts";

const BOB = "did:web:bob.example" as Did;
const digestOf = (n: number) => `sha256:${n.toString(16).padStart(64, "0")}` as Digest;
const [ONE, TWO] = [digestOf(1), digestOf(2)];
const [NAME, MIRROR] = ["registry.example/team/app:v1", "mirror.example/team/app:v1"];
const keyOf = (signer: Did, digest: Digest, name = NAME): KeptKey => ({ signer, digest, name });
const KEY = keyOf(ALICE, ONE);
const MEBIBYTE = 1024 * 1024;
const canChown = requirement(
  "kept evidence, owned by others",
  process.geteuid?.() === 0 ? undefined : "run as root: files are given to another user",
);

function evidenceOf(signer: Did, length = 10, fetchedAt = 5): Evidence {
  const fetched = (url: string) => ({ url, bytes: new Uint8Array(length).fill(7), fetchedAt });
  const signature = { signer, identity: fetched("https://plc.example"), record: fetched("https://pds.example") };
  return { pointers: [], signatures: [signature], gaps: [] };
}

const root = makeTemporaryDirectory("cache");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

class Bed {
  readonly directory = join(root, String(++count), "cache");
  readonly warnings: string[] = [];

  constructor() {
    mkdirSync(dirname(this.directory), { recursive: true });
  }

  get store(): EvidenceStore {
    return new EvidenceStore(this.directory, { report: (warning) => this.warnings.push(warning) });
  }

  get folder(): string {
    return join(this.directory, "evidence");
  }

  get names(): readonly string[] {
    return readdirSync(this.folder).toSorted();
  }

  /** With one piece, at {@link path}. */
  static async withPiece(): Promise<Bed> {
    const bed = new Bed();
    await bed.store.keep(KEY, evidenceOf(ALICE));
    expect(bed.warnings).toEqual([]);
    return bed;
  }

  get path(): string {
    return join(this.folder, this.names[0] ?? "");
  }

  /** That nothing is found, nothing thrown, it is said, and the next evidence takes the place. */
  async expectUnused(because: RegExp): Promise<void> {
    expect(await this.store.find(KEY)).toBeUndefined();
    expect(this.warnings).toEqual([expect.stringMatching(because)]);
    await this.store.keep(KEY, evidenceOf(ALICE, 20));
    expect(await this.store.find(KEY)).toEqual(evidenceOf(ALICE, 20));
    expect(this.warnings).toHaveLength(1);
    expect(lstatSync(this.path).isFile()).toBe(true);
  }
}

describe("kept evidence", () => {
  it("is found by signer, digest and name, and by nothing else", async () => {
    const bed = await Bed.withPiece();
    await bed.store.keep(keyOf(ALICE, TWO), evidenceOf(ALICE, 11));
    await bed.store.keep(keyOf(BOB, ONE), evidenceOf(BOB, 12));
    expect(await bed.store.find(KEY)).toEqual(evidenceOf(ALICE));
    expect(await bed.store.find(keyOf(ALICE, TWO))).toEqual(evidenceOf(ALICE, 11));
    expect(await bed.store.find(keyOf(BOB, ONE))).toEqual(evidenceOf(BOB, 12));
    expect(await bed.store.find(keyOf(BOB, TWO))).toBeUndefined();
    expect(await bed.store.find(keyOf(ALICE, ONE, MIRROR))).toBeUndefined();
    await bed.store.keep(keyOf(ALICE, ONE, MIRROR), evidenceOf(ALICE, 13));
    expect(await bed.store.find(keyOf(ALICE, ONE, MIRROR))).toEqual(evidenceOf(ALICE, 13));
    expect(await bed.store.find(KEY)).toEqual(evidenceOf(ALICE));
    expect(bed.warnings).toEqual([]);
  });

  it("is not there where nothing was kept", async () => {
    const bed = new Bed();
    expect(await bed.store.find(KEY)).toBeUndefined();
    await bed.store.forget(ALICE);
    expect(bed.warnings).toEqual([]);
    expect(existsSync(bed.directory)).toBe(false);
  });

  it("is replaced by newer, and leaves no other file", async () => {
    const bed = await Bed.withPiece();
    await bed.store.keep(KEY, evidenceOf(ALICE, 30, 9));
    expect(await bed.store.find(KEY)).toEqual(evidenceOf(ALICE, 30, 9));
    expect(bed.names).toHaveLength(1);
    expect(lstatSync(bed.path).mode & 0o777).toBe(0o644);
  });

  it("is whole whenever it is read while others write it", async () => {
    const bed = await Bed.withPiece();
    const writing = Array.from({ length: 20 }, (_, i) => bed.store.keep(KEY, evidenceOf(ALICE, i * 1000)));
    const reading = Array.from({ length: 20 }, async () => (await bed.store.find(KEY))?.signatures.length);
    await Promise.all(writing);
    expect(new Set(await Promise.all(reading))).toEqual(new Set([1]));
    expect(bed.warnings).toEqual([]);
    expect(bed.names).toHaveLength(1);
  });

  it.each<[string, (store: EvidenceStore) => Promise<void>, readonly string[]]>([
    ["all of a signer's", (store) => store.forget(ALICE), ["bob"]],
    ["a digest's", (store) => store.forget(ALICE, { digest: ONE }), ["other", "far", "bob"]],
    ["a name's", (store) => store.forget(ALICE, { name: NAME }), ["mirrored", "far", "bob"]],
    [
      "of a digest under a name",
      (store) => store.forget(ALICE, { digest: ONE, name: NAME }),
      ["other", "mirrored", "far", "bob"],
    ],
    [
      "what another digest under the name takes the place of",
      (store) => store.supersede(KEY),
      ["one", "mirrored", "far", "bob"],
    ],
    [
      "nothing that is not there",
      (store) => store.forget(ALICE, { digest: TWO, name: MIRROR }),
      ["one", "other", "mirrored", "bob"],
    ],
  ])("is forgotten: %s", async (_, forget, left) => {
    const { store, warnings } = new Bed();
    const keys = {
      one: KEY,
      other: keyOf(ALICE, TWO),
      mirrored: keyOf(ALICE, ONE, MIRROR),
      far: keyOf(ALICE, TWO, MIRROR),
      bob: keyOf(BOB, TWO),
    };
    for (const key of Object.values(keys)) await store.keep(key, evidenceOf(key.signer));
    await forget(store);
    const found = await Promise.all(
      Object.entries(keys).map(async ([what, key]) => ((await store.find(key)) ? [what] : [])),
    );
    expect(found.flat()).toEqual(left);
    expect(warnings).toEqual([]);
  });
});

describe("a bound", () => {
  it("is the size of a piece", async () => {
    const bed = new Bed();
    const around = writeBundle({ digest: ONE, evidence: evidenceOf(ALICE, 0) }).length;
    const url = (length: number): Evidence => ({
      ...evidenceOf(ALICE, 0),
      pointers: [{ signer: ALICE, url: "x".repeat(length) }],
    });
    const fixed = writeBundle({ digest: ONE, evidence: url(0) }).length;
    expect(fixed).toBeGreaterThan(around);
    await bed.store.keep(KEY, url(MEBIBYTE - fixed));
    expect(bed.warnings).toEqual([]);
    expect(lstatSync(bed.path).size).toBe(MEBIBYTE);
    expect(await bed.store.find(KEY)).toBeDefined();
    await bed.store.keep(keyOf(ALICE, TWO), url(MEBIBYTE - fixed + 1));
    expect(bed.warnings).toEqual([
      expect.stringMatching(/is not kept: it has 1048577 bytes, at most 1048576 are kept/),
    ]);
    expect(bed.names).toHaveLength(1);
  });

  it("is the number of pieces: the oldest make room", async () => {
    const bed = await Bed.withPiece();
    const [whose, , under] = (bed.names[0] ?? "").split("-");
    const name = (n: number) => `${whose}-${digestOf(n).slice(7)}-${under}`;
    // Those with higher numbers are older.
    for (let n = 2; n <= 4095; n++) {
      writeFileSync(join(bed.folder, name(n)), "");
      utimesSync(join(bed.folder, name(n)), 1_000_000 - n, 1_000_000 - n);
    }
    writeFileSync(join(bed.folder, "not-ours"), "");
    utimesSync(join(bed.folder, "not-ours"), 0, 0);
    await bed.store.keep(keyOf(ALICE, digestOf(5000)), evidenceOf(ALICE));
    expect(bed.names).toHaveLength(4097);
    await bed.store.keep(keyOf(ALICE, digestOf(5001)), evidenceOf(ALICE));
    const left = new Set(bed.names);
    expect(left.size).toBe(4097 - 64 + 1);
    expect([name(1), name(2), name(4095 - 64), name(5000), name(5001), "not-ours"].filter((n) => !left.has(n))).toEqual(
      [],
    );
    expect(left.has(name(4095 - 63))).toBe(false);
    expect(bed.warnings).toEqual([]);
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
    await bed.store.keep(keyOf(ALICE, TWO), evidenceOf(ALICE));
    expect([existsSync(stale), existsSync(fresh)]).toEqual([false, true]);
  });
});

describe("what is damaged", () => {
  const content = (change: (text: string) => string) => (bed: Bed) =>
    writeFileSync(bed.path, change(readFileSync(bed.path, "utf8")));
  const instead = (make: (path: string) => unknown) => async (bed: Bed) => {
    const { path } = bed;
    rmSync(path);
    await make(path);
  };
  const written = (digest: Digest, evidence: Evidence) => (bed: Bed) =>
    writeFileSync(bed.path, writeBundle({ digest, evidence }));
  const twice = { ...evidenceOf(ALICE), signatures: [ALICE, ALICE].flatMap((did) => evidenceOf(did).signatures) };

  it.each<[string, RegExp, (bed: Bed) => unknown]>([
    ["an empty file", /is not used: /, (bed) => truncateSync(bed.path)],
    ["half a file", /is not used: /, content((text) => text.slice(0, text.length / 2))],
    ["a later version", /is not used: .*version/, content((text) => text.replace('"version": 1', '"version": 99'))],
    ["another digest", /it is about something else/, written(TWO, evidenceOf(ALICE))],
    ["another signer", /it is about something else/, written(ONE, evidenceOf(BOB))],
    ["no signature", /it is about something else/, written(ONE, { ...evidenceOf(ALICE), signatures: [] })],
    ["two signatures", /it is about something else/, written(ONE, twice)],
    [
      "a file of 1 GiB",
      /has 1073741824 bytes, at most 1048576 are read/,
      (bed) => truncateSync(bed.path, 1024 * MEBIBYTE),
    ],
    ["a byte too many", /has 1048577 bytes, at most 1048576 are read/, (bed) => truncateSync(bed.path, MEBIBYTE + 1)],
    ["a folder", /is not a regular file/, instead((path) => mkdirSync(join(path, "deep"), { recursive: true }))],
    ["a named pipe", /is not a regular file/, instead((path) => run("mkfifo", [path]))],
    ["a link", /is not used: ELOOP/, instead((path) => symlinkSync("/etc/passwd", path))],
    ["a file others can write", /can be written by others \(mode 666\)/, (bed) => chmodSync(bed.path, 0o666)],
  ])("is not used, and replaced: %s", async (_, because, damage) => {
    const bed = await Bed.withPiece();
    await damage(bed);
    await bed.expectUnused(because);
  });

  it("does not follow a link when it is replaced", async () => {
    const bed = await Bed.withPiece();
    const target = join(bed.directory, "target");
    writeFileSync(target, "as it was");
    rmSync(bed.path);
    symlinkSync(target, join(bed.folder, (await Bed.withPiece()).names[0] ?? ""));
    await bed.store.keep(KEY, evidenceOf(ALICE));
    expect(readFileSync(target, "utf8")).toBe("as it was");
    expect(lstatSync(bed.path).isFile()).toBe(true);
  });

  it("is never fatal: a file in place of the folder", async () => {
    const bed = new Bed();
    writeFileSync(bed.directory, "");
    await bed.store.keep(KEY, evidenceOf(ALICE));
    expect(await bed.store.find(KEY)).toBeUndefined();
    await bed.store.forget(ALICE);
    expect(bed.warnings).toEqual([
      expect.stringMatching(/is not kept: ENOTDIR/),
      expect.stringMatching(/is not used: ENOTDIR/),
      expect.stringMatching(/is not forgotten: ENOTDIR/),
    ]);
  });
});

describe("who can write", () => {
  it.each(["parent", "cache", "evidence"] as const)("decides: others can write the %s", async (what) => {
    const bed = await Bed.withPiece();
    const path = { parent: dirname(bed.directory), cache: bed.directory, evidence: bed.folder };
    chmodSync(path[what], 0o777);
    expect(await bed.store.find(KEY)).toBeUndefined();
    await bed.store.keep(keyOf(ALICE, TWO), evidenceOf(ALICE));
    await bed.store.forget(ALICE);
    expect(bed.names).toHaveLength(1);
    expect(bed.warnings).toHaveLength(3);
    for (const warning of bed.warnings) expect(warning).toMatch(/is not (?:used|kept|forgotten): \S+ can be written/);
  });

  it("decides before anything is made", async () => {
    const bed = new Bed();
    chmodSync(dirname(bed.directory), 0o777);
    await bed.store.keep(KEY, evidenceOf(ALICE));
    expect(bed.warnings).toEqual([expect.stringMatching(/is not kept: \S+ can be written/)]);
    expect(existsSync(bed.directory)).toBe(false);
  });

  it("is nobody where the parent is missing", async () => {
    const bed = new Bed();
    rmSync(dirname(bed.directory), { recursive: true });
    await bed.store.keep(KEY, evidenceOf(ALICE));
    expect(bed.warnings).toEqual([expect.stringMatching(/is not kept: ENOENT/)]);
  });
});

describe.runIf(canChown)("who owns it", () => {
  it.each(["folder", "path"] as const)("decides: somebody else owns the %s", async (what) => {
    const bed = await Bed.withPiece();
    chownSync(bed[what], 65_534, 65_534);
    expect(await bed.store.find(KEY)).toBeUndefined();
    expect(bed.warnings).toEqual([expect.stringMatching(/is not used: \S+ belongs to user 65534/)]);
  });
});
