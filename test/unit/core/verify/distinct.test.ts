import { describe, expect, it } from "vitest";
import { isTid } from "../../../../src/core/atproto/syntax.ts";
import { distinctSignatures } from "../../../../src/core/verify/distinct.ts";
import type { SignatureFacts } from "../../../../src/core/verify/verdict.ts";
import { didNamed, facts } from "../../../support/evidence.ts";

const of = (letter: string, ...keys: string[]): SignatureFacts[] => keys.map((key) => facts(didNamed(letter), { key }));
const chosen = (...offered: SignatureFacts[][]) =>
  distinctSignatures(offered).map(({ signer, key }) => signer.at(-1) + key);

describe("distinctSignatures", () => {
  it("chooses one for each signer", () => {
    expect(chosen(of("a", "1"), of("b", "2"))).toEqual(["a1", "b2"]);
    expect(chosen(of("a", "1", "2", "1"))).toEqual(["a1"]);
    expect(chosen()).toEqual([]);
  });

  it("chooses one for each key", () => {
    expect(chosen(of("a", "1"), of("b", "1"), of("c", "1"))).toEqual(["a1"]);
  });

  it("finds the largest choice, in whatever order the signatures came", () => {
    expect(chosen(of("a", "1", "2"), of("b", "1")).toSorted()).toEqual(["a2", "b1"]);
    expect(chosen(of("a", "2", "1"), of("b", "1")).toSorted()).toEqual(["a2", "b1"]);
    expect(chosen(of("a", "1", "2"), of("b", "2", "3"), of("c", "1")).toSorted()).toEqual(["a2", "b3", "c1"]);
    expect(chosen(of("a", "1", "2"), of("b", "1", "2"), of("c", "1", "2"))).toHaveLength(2);
  });

  it("prefers a signer's newest", () => {
    const newer = "3zzzzzzzzzzzz";
    if (!isTid(newer)) throw new Error("no TID");
    const both = [facts(didNamed("a"), { key: "1" }), facts(didNamed("a"), { key: "2", rev: newer })];
    for (const offered of [both, both.toReversed()]) expect(chosen(offered)).toEqual(["a2"]);
  });

  it("prefers the same one of two that are equally new, in whatever order they came", () => {
    expect(chosen(of("a", "1", "2"))).toEqual(["a1"]);
    expect(chosen(of("a", "2", "1"))).toEqual(["a1"]);
  });
});
