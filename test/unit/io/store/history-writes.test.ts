import { mkdirSync, readdirSync, rmSync } from "node:fs";
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

describe("turns", () => {
  it("are one at a time in a folder, in their order, and side by side in others", async () => {
    const [writes, work, other] = [new HistoryWrites(), new Work(), new Work()];
    const all = [1, 2, 3].map(() => writes.inTurn("a", work.run));
    const besides = writes.inTurn("b", other.run);
    await turn();
    expect([work.begun, other.begun]).toEqual([1, 1]);
    await work.end();
    expect(work.begun).toBe(2);
    all.push(writes.inTurn("a", work.run));
    await turn();
    expect(work.begun).toBe(2);
    for (let i = 0; i < 3; i++) await work.end();
    await other.end();
    await Promise.all([...all, besides]);
    expect([work.begun, writes.underWay]).toEqual([4, 0]);
  });

  it("fail for their callers alone", async () => {
    const [writes, work] = [new HistoryWrites(), new Work()];
    const failed = expect(writes.inTurn("a", work.run)).rejects.toThrow("full");
    const next = writes.inTurn("a", async () => "written");
    await turn();
    await work.end(new Error("full"));
    await failed;
    expect([await next, writes.underWay]).toEqual(["written", 0]);
  });

  it("are refused where too many wait: a disk that does not answer must not fill the memory", async () => {
    const [writes, work] = [new HistoryWrites(), new Work()];
    const first = writes.inTurn("a", work.run);
    const all = Array.from({ length: 4095 }, () => writes.inTurn("a", async () => undefined));
    const write = vi.fn(async () => undefined);
    await expect(writes.inTurn("b", write)).rejects.toThrow("4096 writes");
    expect(write).not.toHaveBeenCalled();
    await work.end();
    await Promise.all([first, ...all]);
    await writes.inTurn("b", write);
    expect(write).toHaveBeenCalledOnce();
  });
});

describe("syncs", () => {
  it("are one at a time of a folder; all who come during one share the next", async () => {
    const [writes, work, other] = [new HistoryWrites(), new Work(), new Work()];
    const ended: string[] = [];
    const sync = async (name: string): Promise<void> => {
      await writes.synced("a", work.run);
      ended.push(name);
    };
    const all = [sync("first")];
    await turn();
    for (let i = 0; i < 50; i++) all.push(sync("second"));
    const besides = writes.synced("b", other.run);
    await turn();
    expect([work.begun, other.begun]).toEqual([1, 1]);
    await work.end();
    expect([ended, work.begun]).toEqual([["first"], 2]);
    all.push(sync("third"));
    await turn();
    expect(work.begun).toBe(2);
    await work.end();
    expect([ended.length, work.begun]).toEqual([51, 3]);
    await work.end();
    await other.end();
    await Promise.all([...all, besides]);
    expect(writes.underWay).toBe(0);
  });

  it("fail for those who waited for them", async () => {
    const [writes, work] = [new HistoryWrites(), new Work()];
    const first = expect(writes.synced("a", work.run)).rejects.toThrow("full");
    const second = writes.synced("a", work.run);
    await work.end(new Error("full"));
    await first;
    await work.end();
    await second;
    expect(writes.underWay).toBe(0);
  });
});

describe("stores of one process", () => {
  it("add what each observed while the disk is synced, show it at once, and share the next sync", async () => {
    const directory = join(root, "state");
    mkdirSync(directory);
    const shared = { memo: new HistoryMemo(), writes: new HistoryWrites() };
    const warnings: string[] = [];
    const store = () => new SignerStore(directory, warned(warnings), shared);
    const revs = Array.from({ length: 20 }, (_, i) => tidAt(NOW - 1000 + i));
    const ended: unknown[] = [];
    const all = revs.map(async (rev) => {
      await store().recordObservation({ signer: ALICE, revs: [rev] }, NOW);
      ended.push(rev);
    });
    await vi.waitFor(() => expect(readdirSync(join(directory, "signers", ALICE))).toHaveLength(20));
    await turn(20);
    expect([ended, disk.syncs, (await store().loadHistory(ALICE, NOW)).rev]).toEqual([[], 1, revs.at(-1)]);
    disk.answers.resolve();
    await Promise.all(all);
    // Three folders each time.
    expect([disk.syncs, warnings]).toEqual([6, []]);
  });
});
