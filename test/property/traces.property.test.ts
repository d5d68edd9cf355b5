import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Observation } from "../../src/core/verify/signer-history.ts";
import { newEntryNames, parseEntries } from "../../src/io/store/signer-entries.ts";
import { ALICE, operationCid, tidAt, writtenKey } from "../support/traces.ts";

const NOW = Date.UTC(2025, 5, 1, 12);
const some = <T>(make: (salt: number) => T) => fc.array(fc.nat(5).map(make), { maxLength: 4 });

const observation: fc.Arbitrary<Observation> = fc.record(
  {
    signer: fc.constant(ALICE),
    revs: some((n) => tidAt(NOW - n * 1000)),
    operations: some((n) => operationCid(String(n))),
    key: fc.nat(3).map((n) => writtenKey(String(n))),
  },
  { requiredKeys: ["signer", "revs"] },
);

/** One process: it reads, later writes what was missing then, and later sweeps what it had read. */
interface Writer {
  readonly seen: Observation;
  readonly now: number;
  known?: ReturnType<typeof parseEntries>;
  missing?: string[];
}

const writers = fc.array(fc.record({ seen: observation, now: fc.integer({ min: NOW - 1000, max: NOW }) }), {
  minLength: 1,
  maxLength: 5,
});
/** Whose turn it is; each turn is one call of the file system. */
const schedule = fc.array(fc.nat(4), { minLength: 40, maxLength: 80 });

function turn(writer: Writer, names: Set<string>): void {
  if (writer.known === undefined) {
    writer.known = parseEntries([...names], NOW);
    writer.missing = newEntryNames(writer.seen, writer.known.memory, writer.now);
    return;
  }
  const next = writer.missing?.shift();
  if (next !== undefined) names.add(next);
  // In the worst order: the oldest first, however fresh the newest is that was read.
  else for (const rev of writer.known.revs.slice(0, -1)) names.delete(`rev-${rev}`);
}

describe("what several processes remember at the same time", () => {
  it("never grows less, whatever their order and whoever is killed, and holds all that one has written", () => {
    fc.assert(
      fc.property(writers, schedule, (all: Writer[], turns) => {
        const own = all.map((writer) => ({ ...writer }));
        const names = new Set<string>();
        let before = parseEntries([], NOW).memory;
        for (const at of turns) {
          const writer = own[at % own.length];
          if (writer === undefined) continue;
          turn(writer, names);
          const { memory, damaged } = parseEntries([...names], NOW);
          expect(damaged).toEqual([]);
          expect((memory.rev ?? "") >= (before.rev ?? "")).toBe(true);
          expect(before.operations.isSubsetOf(memory.operations)).toBe(true);
          for (const [key, since] of before.keys) expect(memory.keys.get(key)).toBeLessThanOrEqual(since);
          before = memory;
          if (writer.missing?.length === 0) {
            expect(writer.seen.revs.every((rev) => rev <= (memory.rev ?? ""))).toBe(true);
            expect(newEntryNames(writer.seen, memory, NOW)).toEqual([]);
          }
        }
      }),
    );
  });

  it("does not depend on the order of the names", () => {
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 4 }), fc.infiniteStream(fc.nat()), (all, salts) => {
        const nothing = parseEntries([], NOW).memory;
        const names = all.flatMap((seen, i) => newEntryNames(seen, nothing, NOW - i));
        const shuffled = names.map((name) => ({ name, salt: salts.next().value })).toSorted((a, b) => a.salt - b.salt);
        expect(
          parseEntries(
            shuffled.map(({ name }) => name),
            NOW,
          ),
        ).toEqual(parseEntries(names, NOW));
      }),
    );
  });
});
