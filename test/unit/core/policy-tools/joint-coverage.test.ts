import { describe, expect, it } from "vitest";
import { matchesScope, parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import { Budget, coverJointly } from "../../../../src/core/policy-tools/joint-coverage.ts";

function scope(text: string): Scope {
  const parsed = parseScope(text);
  return "expected" in parsed ? expect.fail(`${text}: expected ${parsed.expected}`) : parsed;
}

const jointly = (earlier: readonly string[], later: string, budget = new Budget()): readonly string[] | undefined =>
  coverJointly(
    earlier.map((text) => ({ scope: scope(text) })),
    scope(later),
    budget,
  )?.map(({ scope: { text } }) => text);

const LETTERS = Array.from("abcdefghijklmnopqrstuvwxyz0123456789");

describe("coverJointly", () => {
  it.each([
    [["a.b/*", "a.b/*/**"], "a.b/**"],
    [["a.b/*", "a.b/*/*", "a.b/*/*/**"], "a.b/**"],
    [["*/*", "*/*/**"], "**"],
    [LETTERS.map((letter) => `a.b/${letter}*`), "a.b/*"],
  ])("finds that %j cover %s", (earlier, later) => {
    const needed = jointly(earlier, later);
    expect(needed).toBeDefined();
    expect(earlier).toEqual(expect.arrayContaining([...(needed ?? [])]));
  });

  it.each([
    [["a.b/*", "a.b/*/*"], "a.b/**"],
    [["a.b/*", "a.b/*/*/**"], "a.b/**"],
    [["a.b/x*", "a.b/*x"], "a.b/*"],
    [["a.b/*", "c.d/*"], "*/*"],
    [["a.b/**"], "a.b/x"],
    [["a.b/x", "a.b/y"], "a.b/z"],
    [LETTERS.slice(1).map((letter) => `a.b/${letter}*`), "a.b/*"],
  ])("finds that %j do not cover %s together", (earlier, later) => {
    expect(jointly(earlier, later)).toBeUndefined();
  });

  it("names only those that are needed", () => {
    expect(jointly(["a.b/x", "a.b/*", "a.b/y/**", "a.b/*/**"], "a.b/**")).toEqual(["a.b/*", "a.b/*/**"]);
  });

  it("never says so of a name that none of them matches", () => {
    const pieces = ["*", "**", "x", "x*", "*x", "*y*"];
    const scopes = pieces
      .flatMap((one) => pieces.map((two) => `a.b/${one}/${two}`))
      .concat(pieces.map((one) => `a.b/${one}`));
    const parts = ["x", "y", "xx", "xy", "yx", "z"];
    const names = parts.concat(
      parts.flatMap((one) => parts.flatMap((two) => [`${one}/${two}`, `${one}/${two}/x`, `z/${one}/${two}/y`])),
    );
    let found = 0;
    for (const [i, later] of scopes.entries()) {
      const earlier = scopes.filter((_, j) => j !== i && (j * 7 + i) % 5 < 2);
      if (jointly(earlier, later) === undefined) continue;
      found++;
      for (const name of names.filter((one) => matchesScope(scope(later), "a.b", one)))
        expect(
          earlier.some((one) => matchesScope(scope(one), "a.b", name)),
          `${name} of ${later}`,
        ).toBe(true);
    }
    expect(found).toBeGreaterThan(3);
  });

  it("gives up where it would take too long", () => {
    const budget = new Budget();
    const earlier = LETTERS.slice(0, 12).map((letter) => `a.b/*${letter}*${letter}*${letter}*${letter}*/**`);
    expect(jointly([...earlier, "a.b/*", "a.b/*/**"], "a.b/**", budget)).toBeUndefined();
    expect(budget.isExhausted).toBe(true);
  });
});
