import { describe, expect, it } from "vitest";
import { demandsOwner } from "../../../../src/core/policy/owner.ts";
import { rule } from "../../../support/evidence.ts";

describe("demandsOwner", () => {
  it.each([
    ["atcr.io", undefined, true],
    ["localhost:5000", undefined, true],
    ["registry.example", undefined, false],
    ["atcr.io", "any", false],
    ["registry.example", "any", false],
    ["atcr.io", "match", true],
    ["registry.example", "match", true],
  ] as const)("on %s where the rule says %s: %s", (host, owner, expected) => {
    const { requirement } = rule([], owner === undefined ? {} : { owner });
    expect(demandsOwner(requirement, host, ["atcr.io", "localhost:5000"])).toBe(expected);
  });
});
