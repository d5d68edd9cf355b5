import { describe, expect, it } from "vitest";
import type { Tid } from "../../../../src/core/atproto/syntax.ts";
import { covers, isInvalidated, type Mark, nameOfMark, readMark } from "../../../../src/core/verify/invalidation.ts";

const [A, B] = ["a".repeat(64), "b".repeat(64)];
const [OLD, REV, NEW] = ["3aaaaaaaaaa22", "3aaaaaaaaaa23", "3aaaaaaaaaa24"] as Tid[] as [Tid, Tid, Tid];
const NAMES: readonly [string, Mark][] = [
  ["all-1700000000000", { time: 1_700_000_000_000 }],
  [`${A}-5`, { address: A, time: 5 }],
  [`${A}-5-until-${REV}`, { address: A, time: 5, rev: REV, isInclusive: true }],
  [`${A}-5-before-${REV}`, { address: A, time: 5, rev: REV, isInclusive: false }],
];

describe("a mark's name", () => {
  it.each(NAMES)("is read as it is written: %s", (name, mark) => {
    expect(readMark(name)).toEqual(mark);
    expect(nameOfMark(mark)).toBe(name);
  });

  it("has whole milliseconds", () => {
    expect(nameOfMark({ time: 5.9 })).toBe("all-5");
  });

  it.each([
    "",
    "all",
    "all-",
    "all-0",
    "all-05",
    "all-5-",
    "all--5",
    `all-${"9".repeat(16)}`,
    "some-5",
    `${A}`,
    `${A}a-5`,
  ])("is no other: %j", (name) => {
    expect(readMark(name)).toBeUndefined();
  });

  it.each(["until", `until-${REV}x`, `since-${REV}`, "until-zzzzzzzzzzzzz", `until-${REV.toUpperCase()}`])(
    "is none with the end %j",
    (end) => {
      expect(readMark(`${A}-5-${end}`)).toBeUndefined();
    },
  );
});

describe("isInvalidated", () => {
  const mark = (name: string): Mark => readMark(name) ?? expect.fail(name);
  it.each<[string, string, Parameters<typeof isInvalidated>[1], boolean]>([
    ["all, before", "all-5", { address: A, askedAt: 4 }, true],
    ["all, at", "all-5", { askedAt: 5 }, true],
    ["all, after", "all-5", { address: A, askedAt: 6 }, false],
    ["one, before", `${A}-5`, { address: A, askedAt: 5 }, true],
    ["one, after", `${A}-5`, { address: A, askedAt: 6 }, false],
    ["another", `${A}-5`, { address: B, askedAt: 4 }, false],
    ["what has no address", `${A}-5`, { askedAt: 4 }, false],
    ["until, older", `${A}-5-until-${REV}`, { address: A, askedAt: 9, rev: OLD }, true],
    ["until, the same", `${A}-5-until-${REV}`, { address: A, askedAt: 9, rev: REV }, true],
    ["until, newer", `${A}-5-until-${REV}`, { address: A, askedAt: 1, rev: NEW }, false],
    ["until, of another", `${A}-5-until-${REV}`, { address: B, askedAt: 1, rev: OLD }, false],
    ["until, not proven", `${A}-5-until-${REV}`, { address: A, askedAt: 1 }, false],
    ["before, older", `${A}-5-before-${REV}`, { address: A, askedAt: 9, rev: OLD }, true],
    ["before, the same", `${A}-5-before-${REV}`, { address: A, askedAt: 9, rev: REV }, false],
  ])("%s: %s", (_, name, aged, expected) => {
    expect(isInvalidated([mark(name)], aged)).toBe(expected);
    expect(isInvalidated([], aged)).toBe(false);
    expect(isInvalidated([mark(`${"c".repeat(64)}-99`), mark(name)], aged)).toBe(expected);
  });
});

describe("covers", () => {
  it.each<[string, string, boolean]>([
    ["all-5", "all-5", true],
    ["all-5", "all-6", false],
    ["all-5", `${A}-5`, true],
    ["all-5", `${A}-5-until-${NEW}`, true],
    ["all-5", `${A}-6-until-${NEW}`, false],
    [`${A}-5`, "all-4", false],
    [`${A}-5`, `${A}-4`, true],
    [`${A}-5`, `${B}-4`, false],
    [`${A}-5`, `${A}-4-until-${NEW}`, true],
    [`${A}-5-until-${REV}`, `${A}-4`, false],
    [`${A}-5-until-${REV}`, `${A}-9-until-${OLD}`, true],
    [`${A}-5-until-${REV}`, `${A}-9-until-${REV}`, true],
    [`${A}-5-until-${REV}`, `${A}-9-before-${REV}`, true],
    [`${A}-5-until-${REV}`, `${A}-1-until-${NEW}`, false],
    [`${A}-5-before-${REV}`, `${A}-9-until-${REV}`, false],
    [`${A}-5-before-${REV}`, `${A}-9-before-${REV}`, true],
    [`${A}-5-before-${REV}`, `${A}-9-until-${OLD}`, true],
    [`${A}-5-until-${REV}`, `${B}-1-until-${OLD}`, false],
  ])("%s, of %s: %s", (one, other, expected) => {
    const [mark, another] = [readMark(one), readMark(other)];
    if (mark === undefined || another === undefined) throw new Error("it is no mark");
    expect(covers(mark, another)).toBe(expected);
  });
});
