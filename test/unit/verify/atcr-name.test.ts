import { describe, expect, it } from "vitest";
import { atcrName, demandsOwner } from "../../../src/verify/atcr-name.ts";
import { rule } from "../../support/evidence.ts";

const HOSTS = ["atcr.io", "localhost:5000"];

describe("atcrName", () => {
  it.each([
    ["atcr.io", "alice.test/app", { handle: "alice.test", repository: "app" }],
    ["localhost:5000", "alice.test/team/app", { handle: "alice.test", repository: "team/app" }],
    ["atcr.io", "app", undefined],
    ["registry.example", "alice.test/app", undefined],
    ["atcr.io:444", "alice.test/app", undefined],
    ["x.atcr.io", "alice.test/app", undefined],
  ])("of %s/%s", (host, path, expected) => {
    expect(atcrName({ host, path }, HOSTS)).toEqual(expected);
  });
});

describe("demandsOwner", () => {
  it.each([
    ["atcr.io", undefined, true],
    ["registry.example", undefined, false],
    ["atcr.io", "any", false],
    ["registry.example", "any", false],
    ["atcr.io", "match", true],
    ["registry.example", "match", true],
  ] as const)("on %s where the rule says %s: %s", (host, owner, expected) => {
    const { requirement } = rule([], owner === undefined ? {} : { owner });
    expect(demandsOwner(requirement, { host, path: "alice.test/app" }, HOSTS)).toBe(expected);
  });
});
