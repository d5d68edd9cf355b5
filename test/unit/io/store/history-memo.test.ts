import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Did, tidAt } from "../../../../src/core/atproto/syntax.ts";
import { NO_HISTORY } from "../../../../src/core/verify/signer-history.ts";
import { HistoryMemo, type ReadEntries } from "../../../../src/io/store/history-memo.ts";
import { HistoryWrites } from "../../../../src/io/store/history-writes.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

const ALICE = "did:web:alice.example" as Did;
const NOW = Date.now();
const [OLD, NEW] = [tidAt(NOW - 9000), tidAt(NOW - 1000)];

const root = makeTemporaryDirectory("memo");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

class Bed {
  readonly directory = join(root, String(++count), "state");
  readonly folder = join(this.directory, "signers", ALICE);
  #ahead = 0;
  readonly memo = new HistoryMemo(() => Date.now() + this.#ahead);
  readonly writes = new HistoryWrites();
  readonly warnings: string[] = [];

  constructor(...names: readonly string[]) {
    mkdirSync(this.folder, { recursive: true });
    for (const name of names) this.write(name);
  }

  write(name: string): void {
    writeFileSync(join(this.folder, name), "");
  }

  /** As a verification of its own has it. */
  get store(): SignerStore {
    return new SignerStore(this.directory, warned(this.warnings), { memo: this.memo, writes: this.writes });
  }

  async rev(now = NOW) {
    return (await this.store.loadHistory(ALICE, now)).rev;
  }

  /** Lets the folder be unchanged for a while. */
  settle(): void {
    this.wait(2600);
  }

  /** @param time milliseconds; negative where the clock is set back */
  wait(time: number): void {
    this.#ahead += time;
  }
}

describe("what a process remembers of a history on disk", () => {
  it("is as the folder says, however soon that changes, by whomever", async () => {
    const bed = new Bed(`rev-${OLD}`);
    expect(await bed.rev()).toBe(OLD);
    // By another process; the time of the folder is then another one.
    bed.write(`rev-${NEW}`);
    expect(await bed.rev()).toBe(NEW);
    await bed.store.recordObservation({ signer: ALICE, revs: [tidAt(NOW)] }, NOW);
    expect(await bed.rev()).toBe(tidAt(NOW));
    await bed.store.forget(ALICE);
    expect(await bed.rev()).toBeUndefined();
  });

  it("is not read again while the folder is unchanged; a clock that is set back reads it again", async () => {
    const bed = new Bed(`rev-${OLD}`);
    bed.settle();
    const before = await bed.store.loadHistory(ALICE, NOW);
    bed.settle();
    // A verification that began earlier may read later.
    expect(await bed.store.loadHistory(ALICE, NOW - 5)).toBe(before);
    bed.wait(-5000);
    expect(await bed.store.loadHistory(ALICE, NOW)).not.toBe(before);
  });

  it("is read again half a second after a read that a change came just before: another one need not change the times", async () => {
    const bed = new Bed(`rev-${OLD}`);
    // Some file systems count in seconds.
    bed.wait(2000);
    const before = await bed.store.loadHistory(ALICE, NOW);
    bed.wait(400);
    expect(await bed.store.loadHistory(ALICE, NOW)).toBe(before);
    bed.wait(120);
    expect(await bed.store.loadHistory(ALICE, NOW)).not.toBe(before);
    // Until nothing has changed for so long that it would have been seen.
    bed.settle();
    const settled = await bed.store.loadHistory(ALICE, NOW);
    bed.settle();
    expect(await bed.store.loadHistory(ALICE, NOW)).toBe(settled);
  });

  it("is read again after every write of this process, one that failed too", async () => {
    const bed = new Bed(`rev-${OLD}`);
    bed.settle();
    expect([await bed.rev(), bed.memo.count]).toEqual([OLD, 1]);
    await bed.store.recordObservation({ signer: ALICE, revs: [tidAt(NOW)] }, NOW);
    expect([bed.memo.count, await bed.rev(), bed.memo.count]).toEqual([0, tidAt(NOW), 1]);
    chmodSync(bed.directory, 0o777);
    await bed.store.recordObservation({ signer: ALICE, revs: [tidAt(NOW + 1)] }, NOW);
    expect([bed.memo.count, bed.warnings.map((line) => line.split(":")[0])]).toEqual([0, ["history.not_written"]]);
  });

  it("is read again soon, too, where the folder's time was set back after a change", async () => {
    const bed = new Bed(`rev-${OLD}`);
    utimesSync(bed.folder, 1, 1);
    const before = await bed.store.loadHistory(ALICE, NOW);
    bed.wait(520);
    expect(await bed.store.loadHistory(ALICE, NOW)).not.toBe(before);
  });

  const many = <T>(make: (i: number) => T): T[] => Array.from({ length: 8000 }, (_, i) => make(i));
  it.each<[string, Partial<ReadEntries>]>([
    ["revisions", { revs: many(() => OLD) }],
    ["operations", { memory: { ...NO_HISTORY, operations: new Set(many(String)) } }],
    ["keys", { memory: { ...NO_HISTORY, keys: new Map(many((i) => [String(i), i])) } }],
    ["noes", { noes: many(() => ({ name: "", rev: OLD, address: "" })).slice(0, 4000) }],
  ])("is counted with all its %s", (_, more) => {
    const bed = new Bed(`rev-${OLD}`);
    const entries = { memory: NO_HISTORY, revs: [], noes: [], ...more };
    for (let i = 0; i < 20; i++) bed.memo.keep(`${bed.folder}${i}`, statSync(bed.folder), entries);
    expect(bed.memo.count).toBe(13);
  });

  it("is none of another folder that was put there where others can write meanwhile", async () => {
    const bed = new Bed(`rev-${NEW}`);
    bed.settle();
    await bed.rev();
    chmodSync(bed.directory, 0o777);
    expect([await bed.rev(), bed.warnings]).toEqual([NEW, []]);
    const { atime, mtime } = statSync(bed.folder);
    renameSync(bed.folder, `${bed.folder}.away`);
    mkdirSync(bed.folder);
    bed.write(`rev-${OLD}`);
    utimesSync(bed.folder, atime, mtime);
    const { rev, unusable } = await bed.store.loadHistory(ALICE, NOW);
    expect([rev, unusable]).toEqual([undefined, expect.stringContaining(bed.directory)]);
    expect(bed.warnings.map((line) => line.split(":")[0])).toEqual(["history.unusable"]);
  });

  it.each(["dev", "ino", "mtimeMs", "ctimeMs"] as const)("is none of a folder with another %s", async (field) => {
    const bed = new Bed(`rev-${OLD}`);
    const stats = statSync(bed.folder);
    bed.settle();
    const entries = { memory: NO_HISTORY, revs: [], noes: [] };
    bed.memo.keep(bed.folder, stats, entries);
    expect(bed.memo.find(bed.folder)).toBe(entries);
    bed.memo.keep(bed.folder, Object.assign(stats, { [field]: stats[field] - 1 }), entries);
    expect(bed.memo.find(bed.folder)).toBeUndefined();
  });

  it("is nothing of a folder with damage, or with names from the future: both are said each time", async () => {
    for (const name of ["junk", `rev-${tidAt(NOW + 3_600_000)}`]) {
      const bed = new Bed(`rev-${OLD}`, name);
      bed.settle();
      for (const times of [1, 2]) {
        await bed.rev();
        expect([bed.memo.count, bed.warnings.length]).toEqual([0, times]);
      }
      expect(readdirSync(bed.folder)).toHaveLength(2);
    }
  });
});
