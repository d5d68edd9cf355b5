import { describe, expect, it } from "vitest";
import { type Did, type Tid, tidAt } from "../../../../src/core/atproto/syntax.ts";
import type { Observation } from "../../../../src/core/verify/signer-history.ts";
import { HistoryWrites } from "../../../../src/verifier/service/history-writes.ts";

const ALICE = "did:web:alice.example" as Did;
const [FIRST, SECOND, THIRD] = [1, 2, 3].map((second) => tidAt(second * 1000)) as [Tid, Tid, Tid];

const seen = (more: Partial<Observation> = {}): Observation => ({ signer: ALICE, key: "did:key:a", revs: [], ...more });
const turn = () => new Promise((done) => setTimeout(done, 1));

/** Writes that end when the test says so. */
class Disk {
  readonly writes = new HistoryWrites();
  readonly written: Observation[] = [];
  readonly #ends: PromiseWithResolvers<void>[] = [];

  record(observation: Observation, signer = "alice"): Promise<void> {
    return this.writes.record(signer, observation, (one) => {
      this.written.push(one);
      const end = Promise.withResolvers<void>();
      this.#ends.push(end);
      return end.promise;
    });
  }

  async end(error?: Error): Promise<void> {
    const end = this.#ends.shift();
    if (error === undefined) end?.resolve();
    else end?.reject(error);
    await turn();
  }
}

describe("writes to signers' histories", () => {
  it("are one at a time about a signer; what is observed meanwhile is one write, however much that is", async () => {
    const disk = new Disk();
    const ended: string[] = [];
    const first = disk.record(seen({ revs: [FIRST] })).then(() => ended.push("first"));
    await turn();
    const more = Array.from({ length: 50 }, (_, i) =>
      disk.record(seen({ revs: [i % 2 === 0 ? SECOND : THIRD] })).then(() => ended.push("more")),
    );
    await turn();
    expect(disk.written).toMatchObject([{ revs: [FIRST] }]);
    await disk.end();
    expect([ended, disk.written.slice(1)]).toEqual([["first"], [expect.objectContaining({ revs: [SECOND, THIRD] })]]);
    await disk.end();
    await Promise.all([first, ...more]);
    expect(disk.written).toHaveLength(2);
  });

  it("are side by side about different signers", async () => {
    const disk = new Disk();
    const both = [disk.record(seen(), "alice"), disk.record(seen(), "bob")];
    await turn();
    expect(disk.written).toHaveLength(2);
    await disk.end();
    await disk.end();
    await Promise.all(both);
  });

  it("keep keys apart, in the order in which they were seen", async () => {
    const disk = new Disk();
    const all = ["b", "a", "b"].map((key) => disk.record(seen({ key })));
    for (let i = 0; i < 3; i++) {
      await turn();
      await disk.end();
    }
    await Promise.all(all);
    expect(disk.written.map(({ key }) => key)).toEqual(["b", "a"]);
  });

  it("fail for those who waited for them alone", async () => {
    const disk = new Disk();
    const failing = disk.record(seen());
    const failed = expect(failing).rejects.toThrow("full");
    await turn();
    const next = disk.record(seen());
    await disk.end(new Error("full"));
    await failed;
    await disk.end();
    await next;
    // Nothing of it is left.
    const after = disk.record(seen());
    await turn();
    await disk.end();
    await after;
    expect(disk.written).toHaveLength(3);
  });
});
