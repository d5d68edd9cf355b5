import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesScope, parseScope, type Scope } from "../../src/core/policy/scope.ts";
import { coversScope } from "../../src/core/policy-tools/coverage.ts";

const segment = fc.array(fc.constantFrom("a", "b", "*"), { minLength: 1, maxLength: 4 }).map((p) => p.join(""));
const texts = fc
  .tuple(
    fc.constantFrom("a.b", "*.b", "*", "**", "a.*", "a.b:5000"),
    fc.array(fc.oneof(segment, fc.constant("*"), fc.constant("**")), { minLength: 1, maxLength: 4 }),
  )
  .map(([host, path]) => [host, ...path].join("/").replace(/\*{3,}|(?<=[ab])\*\*|\*\*(?=[ab])/g, "*"));
const scopes = fc
  .oneof({ weight: 20, arbitrary: texts }, fc.constant("**"))
  .map((text) => parseScope(text))
  .filter((scope): scope is Scope => !("expected" in scope));

/** A name in the scope: each wildcard stands for what these functions answer. */
function nameIn({ segments }: Scope, text: () => string, many: () => readonly string[]): [string, string] {
  const wide = segments.length === 1 ? [...segments, "*"] : segments;
  const [host = "", ...path] = wide.flatMap((part) =>
    part === "**" ? many() : [part === "*" ? text() || "c" : part.replaceAll("*", () => text())],
  );
  return [host, path.join("/")];
}

describe("coversScope", () => {
  it("says so only where every name of the later scope lies in the earlier one", () => {
    let covered = 0;
    const pieces = fc.constantFrom("", "a", "b", "ab", "c");
    fc.assert(
      fc.property(scopes, scopes, fc.gen(), (earlier, later, gen) => {
        if (!coversScope(earlier, later)) return;
        covered++;
        const text = () => gen(() => pieces);
        const many = () => gen(() => fc.array(fc.constantFrom("a", "b", "ab", "c"), { minLength: 1, maxLength: 4 }));
        for (let i = 0; i < 10; i++) {
          const name = nameIn(later, text, many);
          expect(matchesScope(later, ...name)).toBe(true);
          expect([earlier.text, name, matchesScope(earlier, ...name)]).toEqual([earlier.text, name, true]);
        }
      }),
      { numRuns: 5000 },
    );
    expect(covered).toBeGreaterThan(200);
  });

  it("says so wherever names with new text for each wildcard, few segments and many, lie in the earlier one", () => {
    let covered = 0;
    fc.assert(
      fc.property(scopes, scopes, (earlier, later) => {
        const witnesses = [1, 2, 3, 12].flatMap((count) =>
          ["", "zz"].map((text) =>
            nameIn(
              later,
              () => text,
              () => Array<string>(count).fill("zzz"),
            ),
          ),
        );
        const all = witnesses.every((name) => matchesScope(earlier, ...name));
        if (all) covered++;
        expect([earlier.text, later.text, coversScope(earlier, later)]).toEqual([earlier.text, later.text, all]);
      }),
      { numRuns: 20_000 },
    );
    expect(covered).toBeGreaterThan(1000);
  });

  it("finds that a scope covers itself, and that what covers what covers it covers it", () => {
    fc.assert(
      fc.property(scopes, scopes, scopes, (a, b, c) => {
        expect(coversScope(a, a)).toBe(true);
        if (coversScope(a, b) && coversScope(b, c)) expect(coversScope(a, c)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});
