import { describe, expect, it } from "vitest";
import { parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import { coversScope } from "../../../../src/core/policy-tools/coverage.ts";

function scope(text: string): Scope {
  const parsed = parseScope(text);
  return "expected" in parsed ? expect.fail(`${text}: expected ${parsed.expected}`) : parsed;
}

describe("coversScope", () => {
  it.each([
    ["a.b/x", "a.b/x"],
    ["a.b/*", "a.b/x"],
    ["a.b/*", "a.b/*"],
    ["a.b/x*", "a.b/x*y"],
    ["a.b/**", "a.b/*/x"],
    ["a.b/**", "a.b/**"],
    ["**", "*/**"],
    ["*/**", "**"],
    ["a.b/**/*", "a.b/**/**"],
    ["a.b/*/**", "a.b/**/**"],
    ["a.b/**/**", "a.b/*/**"],
    ["a.b/**/x", "a.b/**/y/x"],
  ])("%s covers %s", (earlier, later) => {
    expect(coversScope(scope(earlier), scope(later))).toBe(true);
  });

  it.each([
    ["a.b/x", "a.b/y"],
    ["a.b/x", "a.b/*"],
    ["a.b/x*", "a.b/*"],
    ["a.b/*x", "a.b/x*"],
    ["a.b/x", "a.b/**"],
    ["a.b/*", "a.b/**"],
    ["a.b/*/*/*", "a.b/**"],
    ["a.b/*/x/*", "a.b/**"],
    ["a.b/x/x/x", "a.b/**"],
    ["a.b/**/**", "a.b/**"],
    ["a.b/**/x", "a.b/**/y"],
    ["a.b/**/x", "a.b/**"],
    ["a.b/*/x", "a.b/c/d/x"],
    ["a.b/**", "**"],
  ])("%s does not cover %s", (earlier, later) => {
    expect(coversScope(scope(earlier), scope(later))).toBe(false);
  });
});
