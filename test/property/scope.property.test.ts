import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesScope, parseScope } from "../../src/core/policy/scope.ts";

/** The definition of spec 2.1, without a thought for time. */
function covers(pattern: readonly string[], items: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return items.length === 0;
  if (first !== "**") return items.length > 0 && coversSegment(first, items[0] ?? "") && covers(rest, items.slice(1));
  return items.some((_, i) => covers(rest, items.slice(i + 1)));
}

function coversSegment(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern[0] !== "*") return text[0] === pattern[0] && coversSegment(pattern.slice(1), text.slice(1));
  return coversSegment(pattern.slice(1), text) || (text !== "" && coversSegment(pattern, text.slice(1)));
}

const segment = fc.array(fc.constantFrom("a", "b", "*"), { minLength: 1, maxLength: 5 }).map((p) => p.join(""));
const patterns = fc
  .tuple(
    fc.constantFrom("a.b", "*.b", "*", "**", "a.*", "a.b:5000"),
    fc.array(fc.oneof(segment, fc.constant("**")), { minLength: 1, maxLength: 5 }),
  )
  .map(([host, path]) => [host, ...path].join("/"));
const paths = fc
  .array(fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 })
  .map((path) => path.map((letters) => letters.join("")).join("/"));
const hosts = fc.constantFrom("a.b", "b.b", "a.c", "a.b:5000", "localhost");

describe("matchesScope", () => {
  it("agrees with the definition", () => {
    let [accepted, matched] = [0, 0];
    fc.assert(
      fc.property(patterns, hosts, paths, (pattern, host, path) => {
        const scope = parseScope(pattern);
        if ("expected" in scope) return;
        const expected = covers(pattern.split("/"), [host, ...path.split("/")]);
        expect(matchesScope(scope, host, path)).toBe(expected);
        accepted++;
        if (expected) matched++;
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(1000);
    expect(matched).toBeGreaterThan(100);
  });

  it("covers the name that a scope without wildcards spells, and no other", () => {
    fc.assert(
      fc.property(hosts, paths, paths, (host, path, other) => {
        const scope = parseScope(`${host}/${path}`);
        if ("expected" in scope) throw new Error(scope.expected);
        expect(matchesScope(scope, host, path)).toBe(true);
        expect(matchesScope(scope, host, other)).toBe(other === path);
      }),
    );
  });

  it("reads or refuses any text", () => {
    let read = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(fc.constantFrom(..."ab*/.:[]?@-_ A1".split(""))).map((c) => c.join("")),
          fc.array(fc.constantFrom(..."ab*/.".split("")), { minLength: 3, maxLength: 9 }).map((c) => c.join("")),
        ),
        (text) => {
          const scope = parseScope(text);
          if ("expected" in scope) return;
          read++;
          expect(scope.segments.every((part) => part !== "")).toBe(true);
          expect(parseScope(scope.text.replace(/^([^/.:*]+)\//, "$1:443/"))).toEqual(scope);
        },
      ),
      { numRuns: 3000 },
    );
    expect(read).toBeGreaterThan(10);
  });
});
