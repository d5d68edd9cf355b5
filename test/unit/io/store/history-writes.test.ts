import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type Did, tidAt } from "../../../../src/core/atproto/syntax.ts";
import { HistoryMemo } from "../../../../src/io/store/history-memo.ts";
import { HistoryWrites } from "../../../../src/io/store/history-writes.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

const disk = vi.hoisted(() => ({ syncs: 0, answers: Promise.withResolvers<void>() }));
vi.mock(import("../../../../src/io/fs/folders.ts"), async (original) => ({
  ...(await original()),
  syncFolder: async () => {
    disk.syncs += 1;
    await disk.answers.promise;
  },
}));

const ALICE = "did:web:alice.example" as Did;
const NOW = Date.now();
const root = makeTemporaryDirectory("writes");
afterAll(() => rmSync(root, { recursive: true, force: true }));

const turn = (time = 1) => new Promise((done) => setTimeout(done, time));

/** Work that ends when the test says so. */
class Work {
  begun = 0;
  readonly #ends: PromiseWithResolvers<void>[] = [];

  readonly run = async (): Promise<void> => {
    this.begun += 1;
    const end = Promise.withResolvers<void>();
    this.#ends.push(end);
    return end.promise;
  };

  async end(error?: Error): Promise<void> {
    const end = this.#ends.shift();
    if (error === undefined) end?.resolve();
    else end?.reject(error);
    await turn();
  }
}

const nothing = async (): Promise<void> => {};

describe("adding", () => {
  it("is one at a time in a folder, in its order, and side by side in others", async () => {
    const [writes, work, other] = [new HistoryWrites(), new Work(), new Work()];
    const all = [1, 2, 3].map(() => writes.write("a", work.run, nothing));
    const besides = writes.write("b", other.run, nothing);
    await turn();
    expect([work.begun, other.begun]).toEqual([1, 1]);
    await work.end();
    expect(work.begun).toBe(2);
    all.push(writes.write("a", work.run, nothing));
    await turn();
    expect(work.begun).toBe(2);
    for (let i = 0; i < 3; i++) await work.end();
    await other.end();
    await Promise.all([...all, besides]);
    expect([work.begun, writes.underWay]).toEqual([4, 0]);
  });

  it("fails for its caller alone", async () => {
    const [writes, work] = [new HistoryWrites(), new Work()];
    const failed = expect(writes.write("a", work.run, nothing)).rejects.toThrow("full");
    const settle = vi.fn(nothing);
    const next = writes.write("a", async () => 1, settle);
    await turn();
    await work.end(new Error("full"));
    await failed;
    await next;
    expect([settle.mock.calls, writes.underWay]).toEqual([[[1]], 0]);
  });
});

describe("syncing", () => {
  it("is one at a time of a folder; all who have added during one share the next", async () => {
    const [writes, work, other] = [new HistoryWrites(), new Work(), new Work()];
    const ended: string[] = [];
    const write = async (name: string): Promise<void> => {
      await writes.write("a", async () => name, work.run);
      ended.push(name);
    };
    const all = [write("first")];
    await turn();
    for (let i = 0; i < 50; i++) all.push(write("second"));
    // Of another folder it is another one.
    const besides = writes.write("b", async () => 1, other.run);
    await turn();
    expect([work.begun, other.begun]).toEqual([1, 1]);
    await work.end();
    expect([ended, work.begun]).toEqual([["first"], 2]);
    all.push(write("third"));
    await turn();
    expect(work.begun).toBe(2);
    await work.end();
    expect([ended.length, work.begun]).toEqual([51, 3]);
    await work.end();
    await other.end();
    await Promise.all([...all, besides]);
    expect(writes.underWay).toBe(0);
  });

  it("is waited for, too, by those who found that another had added the same", async () => {
    const [writes, work] = [new HistoryWrites(), new Work()];
    const ended: string[] = [];
    const first = writes.write("a", async () => 1, work.run).then(() => ended.push("first"));
    await turn();
    const next = writes.write("a", async () => 2, work.run).then(() => ended.push("next"));
    const found = writes.write("a", async () => undefined, work.run).then(() => ended.push("found"));
    await turn();
    await work.end();
    expect([ended, work.begun]).toEqual([["first"], 2]);
    await work.end();
    await Promise.all([first, next, found]);
    await writes.write("a", async () => undefined, work.run);
    expect([work.begun, writes.underWay]).toEqual([2, 0]);
  });

  it("fails for those who waited for it, and leaves nothing behind", async () => {
    const [writes, work] = [new HistoryWrites(), new Work()];
    for (const isFollowed of [true, false]) {
      const first = expect(writes.write("a", async () => 1, work.run)).rejects.toThrow("full");
      await turn();
      const second = isFollowed ? writes.write("a", async () => 2, work.run) : undefined;
      await turn();
      await work.end(new Error("full"));
      await first;
      await work.end();
      await second;
      expect(writes.underWay).toBe(0);
    }
  });
});

describe("writes that wait for a disk that does not answer", () => {
  const wait = (writes: HistoryWrites, folder: string, count: number, sync: () => Promise<void>) =>
    Array.from({ length: count }, () => writes.write(folder, async () => 1, sync));

  it.each<[string, readonly string[], string]>([
    ["about one signer", ["a"], "a"],
    ["in all", Array.from("abcdefgh"), "i"],
  ])("are at most so many %s: they must fill neither its folder nor the memory", async (_, folders, refused) => {
    const [writes, work] = [new HistoryWrites(), new Work()];
    const all = folders.flatMap((folder) => wait(writes, folder, 512, work.run));
    await turn(50);
    const add = vi.fn(async () => 1);
    await expect(writes.write(refused, add, nothing)).rejects.toThrow("wait for the disk");
    expect(add).not.toHaveBeenCalled();
    for (let i = 0; i < 2 * folders.length; i++) await work.end();
    await Promise.all(all);
    await writes.write(refused, add, nothing);
    expect([add.mock.calls.length, writes.underWay]).toEqual([1, 0]);
  });
});

describe("stores of one process", () => {
  const bed = (name: string) => {
    const directory = join(root, name);
    mkdirSync(join(directory, "signers", ALICE), { recursive: true });
    const shared = { memo: new HistoryMemo(), writes: new HistoryWrites() };
    const warnings: string[] = [];
    disk.syncs = 0;
    disk.answers = Promise.withResolvers<void>();
    const names = () => readdirSync(join(directory, "signers", ALICE));
    return { directory, warnings, names, store: () => new SignerStore(directory, warned(warnings), shared) };
  };

  it("add what each observed while the disk is synced, show it at once, and share the next sync", async () => {
    const { store, names, warnings } = bed("burst");
    const revs = Array.from({ length: 20 }, (_, i) => tidAt(NOW - 1000 + i));
    const ended: unknown[] = [];
    const all = revs.map(async (rev) => {
      await store().recordObservation({ signer: ALICE, revs: [rev] }, NOW);
      ended.push(rev);
    });
    await vi.waitFor(() => expect(names()).toHaveLength(20));
    await turn(20);
    expect([ended, disk.syncs, (await store().loadHistory(ALICE, NOW)).rev]).toEqual([[], 1, revs.at(-1)]);
    disk.answers.resolve();
    await Promise.all(all);
    // Three folders each time.
    expect([disk.syncs, warnings]).toEqual([6, []]);
  });

  it("have the floor that stands for what was damaged on the disk before that is set aside", async () => {
    const { store, names } = bed("damaged");
    writeFileSync(join(root, "damaged", "signers", ALICE, "junk"), "");
    const own = store();
    await own.loadHistory(ALICE, NOW);
    const recorded = own.recordObservation({ signer: ALICE, revs: [tidAt(NOW)] }, NOW);
    await vi.waitFor(() => expect(disk.syncs).toBe(1));
    expect(names()).toEqual([expect.stringMatching(/^floor-/), "junk"]);
    disk.answers.resolve();
    await recorded;
    expect(names()).toEqual([expect.stringMatching(/^floor-/), `rev-${tidAt(NOW)}`]);
  });

  it("forget what was added and not yet synced where the signer is forgotten meanwhile", async () => {
    const { store, warnings } = bed("forgotten");
    const all = [1, 2, 3].map((i) => store().recordObservation({ signer: ALICE, revs: [tidAt(NOW - i)] }, NOW));
    await vi.waitFor(() => expect(disk.syncs).toBe(1));
    rmSync(join(root, "forgotten", "signers", ALICE), { recursive: true });
    disk.answers.reject(Object.assign(new Error("gone"), { code: "ENOENT" }));
    await Promise.all(all);
    expect([warnings, (await store().loadHistory(ALICE, NOW)).rev]).toEqual([[], undefined]);
  });
});
