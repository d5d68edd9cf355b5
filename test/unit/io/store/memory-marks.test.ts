import { describe, expect, it } from "vitest";
import type { Did, Tid } from "../../../../src/core/atproto/syntax.ts";
import { MemoryMarks } from "../../../../src/io/store/memory-marks.ts";

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
const ALICE = "did:web:alice.example" as Did;
const BOB = "did:web:bob.example" as Did;
const address = (n: number): string => n.toString(16).padStart(64, "0");
const at = (askedAt: number, n?: number) => [{ askedAt, ...(n !== undefined && { address: address(n) }) }];

describe("marks in memory", () => {
  it("end what was asked for by then, of their subject and address, or of all of it", () => {
    const marks = new MemoryMarks();
    marks.end(ALICE, { address: address(1), time: NOW });
    expect([NOW, NOW + 1].map((time) => marks.areInvalidated(ALICE, at(time, 1)))).toEqual([true, false]);
    expect([marks.areInvalidated(ALICE, at(NOW, 2)), marks.areInvalidated(BOB, at(NOW, 1))]).toEqual([false, false]);
    marks.end(ALICE, { time: NOW });
    expect(marks.areInvalidated(ALICE, at(NOW, 2))).toBe(true);
  });

  it("take the place of those that they cover, and are not added where one covers them", () => {
    const marks = new MemoryMarks();
    const rev = "3aaaaaaaaaa23" as Tid;
    for (let i = 0; i < 100; i++) marks.end(ALICE, { address: address(1), time: NOW + i, rev, isInclusive: true });
    for (let i = 0; i < 100; i++) marks.end(ALICE, { time: NOW - i });
    expect(marks.count).toBe(2);
    expect(marks.areInvalidated(ALICE, [{ address: address(1), askedAt: NOW + 500, rev }])).toBe(true);
  });

  it("of one subject: at the bound one mark takes the place of the older half, and ends no less", () => {
    const marks = new MemoryMarks();
    for (let i = 0; i < 16_384; i++) marks.end(ALICE, { address: address(i), time: NOW + i });
    // Until then nothing ends but what was named.
    expect([marks.count, marks.areInvalidated(ALICE, at(NOW, 20_000))]).toEqual([16_384, false]);
    marks.end(ALICE, { address: address(16_384), time: NOW + 16_384 });
    expect(marks.count).toBeLessThan(8200);
    for (const i of [0, 8000, 16_384]) expect(marks.areInvalidated(ALICE, at(NOW + i, i))).toBe(true);
    expect(marks.areInvalidated(ALICE, at(NOW + 16_384, 20_000))).toBe(false);
    expect(marks.areInvalidated(BOB, at(NOW, 1))).toBe(false);
  });

  it("of one subject: at the bound those go that outlived all verifications they were made for", () => {
    const marks = new MemoryMarks();
    for (let i = 0; i < 16_384; i++) marks.end(ALICE, { address: address(i), time: NOW });
    const later = NOW + 6 * MINUTE;
    marks.end(ALICE, { address: address(20_000), time: later });
    expect(marks.count).toBe(1);
    // Nothing that is asked for since is over.
    expect(marks.areInvalidated(ALICE, at(NOW + MINUTE, 5))).toBe(false);
    expect(marks.areInvalidated(ALICE, at(later, 20_000))).toBe(true);
  });

  it("of all subjects together stay below a bound", () => {
    const marks = new MemoryMarks();
    for (let i = 0; i < 40_000; i++) marks.end(`did:web:s${i % 20}.example`, { address: address(i), time: NOW + i });
    expect(marks.count).toBeLessThanOrEqual(32_768);
    for (const i of [0, 20_000, 39_999])
      expect(marks.areInvalidated(`did:web:s${i % 20}.example`, at(NOW + i, i))).toBe(true);
  });

  it("of too many subjects become one for everybody, which ends no less", () => {
    const marks = new MemoryMarks();
    for (let i = 0; i < 1024; i++) marks.end(`did:web:s${i}.example`, { address: address(i), time: NOW + i });
    marks.end(ALICE, { address: address(1), time: NOW - 5 });
    expect(marks.count).toBe(1);
    expect(marks.areInvalidated(BOB, at(NOW + 1023))).toBe(true);
    expect(marks.areInvalidated(BOB, at(NOW + 1024))).toBe(false);
    expect(marks.areInvalidated(BOB, [{ askedAt: Number.POSITIVE_INFINITY }])).toBe(false);
  });
});
