import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Tid } from "../../../../src/core/atproto/syntax.ts";
import { nameOfMark } from "../../../../src/core/verify/invalidation.ts";
import { Marks } from "../../../../src/io/store/invalidation-marks.ts";
import { endAll } from "../../../../src/io/store/invalidation-writer.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const DAY = 24 * 3_600_000;
const NOW = Date.now();
const SUBJECT = "5".repeat(64);
const [A, B] = ["a".repeat(64), "b".repeat(64)];
const address = (n: number): string => n.toString(16).padStart(64, "0");

const root = makeTemporaryDirectory("marks");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

class Bed {
  readonly directory = join(root, String(++count), "cache");
  readonly marks = new Marks(this.directory, () => {});

  constructor() {
    mkdirSync(dirname(this.directory), { recursive: true });
  }

  path(...names: readonly string[]): string {
    return join(this.directory, "marks", ...names);
  }

  names(subject = SUBJECT): readonly string[] {
    return readdirSync(this.path(subject)).toSorted();
  }

  /** Puts marks there, made long ago by the file system's clock. */
  put(names: readonly string[], subject = SUBJECT): void {
    mkdirSync(this.path(subject), { recursive: true });
    for (const name of names) {
      writeFileSync(this.path(subject, name), "");
      utimesSync(this.path(subject, name), NOW / 1000 - 100, NOW / 1000 - 100);
    }
  }
}

describe("marks", () => {
  it("are found of the subject, by address or for all", async () => {
    const { marks } = new Bed();
    expect(marks.of(SUBJECT, A)).toEqual([]);
    await marks.add(SUBJECT, { address: A, time: NOW });
    await marks.add(SUBJECT, { address: B, time: NOW });
    await marks.add("everybody", { time: NOW - 5 });
    await marks.add("6".repeat(64), { time: NOW });
    expect(marks.of(SUBJECT, A)).toEqual([{ address: A, time: NOW }, { time: NOW - 5 }]);
    expect(marks.of(SUBJECT)).toEqual([{ time: NOW - 5 }]);
    expect(marks.of(SUBJECT, A, B)).toHaveLength(3);
  });

  it("add up, whoever writes them side by side", async () => {
    const bed = new Bed();
    const all = Array.from({ length: 40 }, (_, i) => ({ address: address(i), time: NOW + i }));
    await Promise.all(all.map(async (mark) => new Marks(bed.directory, () => {}).add(SUBJECT, mark)));
    expect(bed.names()).toEqual(all.map(nameOfMark).toSorted());
  });

  it("are not added where one that is there covers them", async () => {
    const bed = new Bed();
    const rev = "3aaaaaaaaaa23" as Tid;
    for (const time of [NOW, NOW + 1]) await bed.marks.add(SUBJECT, { address: A, time, rev, isInclusive: true });
    expect(bed.names()).toEqual([`${A}-${NOW}-until-${rev}`]);
  });

  it("go when another has covered them for a while, and when what they end is too old by itself", async () => {
    const bed = new Bed();
    const old = NOW - 30 * DAY;
    bed.put([`${A}-${NOW - 9}`, `${A}-${NOW - 5}`, `${B}-${old}`, `${B}-${old - DAY}`, "unknown"]);
    await bed.marks.add(SUBJECT, { address: A, time: NOW });
    expect(bed.names()).toEqual([`${A}-${NOW - 5}`, `${A}-${NOW}`, `${B}-${old}`, "unknown"].toSorted());
  });
});

describe("marks that cannot be read", () => {
  it.each<[string, (bed: Bed) => unknown]>([
    ["the folder of all is a file", (bed) => writeFileSync(join(mk(bed.directory), "marks"), "")],
    [
      "the folder of all is a link to nowhere",
      (bed) => symlinkSync("/nonexistent/x", join(mk(bed.directory), "marks")),
    ],
    ["the folder of all can be written by others", (bed) => chmodSync(mk(bed.path()), 0o777)],
    ["the subject's is a link to nowhere", (bed) => symlinkSync("/nonexistent/x", join(mk(bed.path()), SUBJECT))],
    ["the subject's is a file", (bed) => writeFileSync(join(mk(bed.path()), SUBJECT), "")],
    ["the subject's can be written by others", (bed) => chmodSync(mk(bed.path(SUBJECT)), 0o777)],
    ["everybody's is a file", (bed) => writeFileSync(join(mk(bed.path()), "everybody"), "")],
    ["a name says nothing", (bed) => bed.put([`${A}-5-until-x`])],
    ["there are too many", (bed) => bed.put(Array.from({ length: 16_385 }, (_, i) => `${B}-${i + 1}`))],
  ])("are no marks that are not there: %s", (_, spoil) => {
    const bed = new Bed();
    spoil(bed);
    expect(() => bed.marks.of(SUBJECT, A)).toThrow(Error);
  });

  const mk = (path: string): string => {
    mkdirSync(path, { recursive: true });
    return path;
  };

  it("are of that subject alone", () => {
    const bed = new Bed();
    bed.put(["all-x"]);
    expect(() => bed.marks.of(SUBJECT)).toThrow(/is no mark/);
    expect(bed.marks.of("6".repeat(64))).toEqual([]);
  });

  it("are read again once all that is cached has been ended", async () => {
    const bed = new Bed();
    bed.put(["all-x", `${A}-${NOW + DAY}`]);
    writeFileSync(bed.path("file"), "");
    await endAll(bed.directory, NOW);
    expect(readdirSync(bed.path())).toEqual(["everybody"]);
    // As late as the marks whose place it takes, but not so that nothing would ever count again.
    expect(bed.marks.of(SUBJECT)).toEqual([{ time: NOW + 5 * 60_000 }]);
  });
});

describe("a bound", () => {
  it("of one subject makes one mark of the older half, which ends no less", async () => {
    const bed = new Bed();
    bed.put(Array.from({ length: 4096 }, (_, i) => `${address(i)}-${NOW - 5000 + i}`));
    await bed.marks.add(SUBJECT, { address: A, time: NOW });
    expect(bed.marks.of(SUBJECT, A)).toContainEqual({ address: A, time: NOW });
    expect(bed.marks.of(SUBJECT)).toEqual([{ time: NOW - 5000 + 2047 }]);
    // Later the half goes; until then a process may be reading the folder.
    expect(bed.names()).toHaveLength(4098);
    utimesSync(bed.path(SUBJECT, `all-${NOW - 5000 + 2047}`), NOW / 1000 - 100, NOW / 1000 - 100);
    await bed.marks.add(SUBJECT, { address: B, time: NOW });
    expect(bed.names()).toHaveLength(2048 + 3);
  });

  it("of subjects makes one mark for everybody, which ends no less", async () => {
    const bed = new Bed();
    for (let i = 0; i < 1024; i++) bed.put([`${A}-${NOW - i}`], address(i));
    await bed.marks.add(SUBJECT, { address: B, time: NOW - 7 });
    expect(readdirSync(bed.path()).toSorted()).toEqual([SUBJECT, "everybody"].toSorted());
    expect(bed.marks.of(address(9), B)).toEqual([{ time: NOW }]);
    expect(bed.marks.of(SUBJECT, B)).toEqual([{ address: B, time: NOW - 7 }, { time: NOW }]);
  });
});
