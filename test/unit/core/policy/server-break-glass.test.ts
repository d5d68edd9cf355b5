import { describe, expect, it } from "vitest";
import { readServerBreakGlass } from "../../../../src/core/policy/parse-server-break-glass.ts";
import { breakGlassFor, isInForce } from "../../../../src/core/policy/server-break-glass.ts";
import { Rejection } from "../../../../src/core/rejection.ts";

const GOOD: Readonly<Record<string, unknown>> = {
  reason: "INC-1234",
  from: "2026-11-30T12:00:00Z",
  until: "2026-12-01T12:00:00Z",
  scope: ["registry.example.com/team/**", "atcr.io/**"],
  namespaces: ["shop", "billing"],
};
const [FROM, UNTIL] = [Date.UTC(2026, 10, 30, 12), Date.UTC(2026, 11, 1, 12)];
const read = (changed: object = {}) => readServerBreakGlass(JSON.stringify({ ...GOOD, ...changed }), "b.yaml");

function mistakeIn(changed: object): string {
  try {
    read(changed);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    expect(error.code).toBe("config.invalid");
    return error.message;
  }
  throw new Error(`accepted ${JSON.stringify(changed)}`);
}

describe("readServerBreakGlass", () => {
  it("reads a file of 24 h", () => {
    expect(read()).toMatchObject({ reason: "INC-1234", from: FROM, until: UNTIL });
    expect([...read().namespaces]).toEqual(["shop", "billing"]);
    expect(read({ scope: "**" }).scopes).toHaveLength(1);
  });

  it.each(["reason", "from", "until", "scope", "namespaces"])("needs %s", (key) => {
    expect(mistakeIn({ [key]: undefined })).toContain(`expected the key "${key}"`);
  });

  it.each([
    ["another key", { namespace: "shop" }, "the unknown key"],
    ["a longer time", { until: "2026-12-01T12:00:01Z" }, "at most 24 h after from: 2026-12-01T12:00:00Z or earlier"],
    ["no time at all", { until: GOOD["from"] }, 'until: found "2026-11-30T12:00:00Z", expected a time after from'],
    ["a time that ends before it begins", { until: "2026-11-30T11:59:59Z" }, "a time after from"],
    ["a duration as its end", { until: "24h" }, 'until: found "24h", expected a date and time'],
    ["a from that is no time", { from: "now" }, 'from: found "now", expected a date and time'],
    ["no namespaces", { namespaces: [] }, "namespaces: found an empty list"],
    ["a namespace without a list", { namespaces: "shop" }, 'namespaces: found "shop", expected a list'],
    ["every namespace", { namespaces: ["*"] }, 'namespaces[0]: found "*", expected the exact name'],
    ["a pattern of namespaces", { namespaces: ["shop", "team-*"] }, "namespaces[1]: found"],
    ["an empty name", { namespaces: [""] }, "namespaces[0]: found"],
    ["a name in upper case", { namespaces: ["Shop"] }, "namespaces[0]: found"],
    ["a name of 64 characters", { namespaces: ["a".repeat(64)] }, "namespaces[0]: found"],
    [
      "a namespace twice",
      { namespaces: ["shop", "shop"] },
      'namespaces[1]: found "shop", expected each namespace once',
    ],
    ["a scope that is none", { scope: ["atcr.io/**", "a b"] }, "scope[1]: found"],
    ["an empty reason", { reason: "" }, "reason: found"],
  ])("refuses %s", (_, changed, sentence) => {
    expect(mistakeIn(changed)).toContain(sentence);
  });
});

describe("a server's break-glass", () => {
  it("is in force from its beginning until its end", () => {
    const at = [FROM - 1, FROM, UNTIL - 1, UNTIL].map((now) => isInForce(read(), now));
    expect(at).toEqual([false, true, true, false]);
  });

  it("is given to the judgement only while in force, and for its namespaces", () => {
    const file = { path: "/b.yaml", breakGlass: read() };
    expect(breakGlassFor(file, "billing", FROM)).toEqual({ path: "/b.yaml", active: read() });
    expect(breakGlassFor(file, "billing", UNTIL)).toBeUndefined();
    expect(breakGlassFor(file, "billing", FROM - 1)).toBeUndefined();
    for (const namespace of ["billing2", "bill", "", "*", undefined])
      expect(breakGlassFor(file, namespace, FROM)).toBeUndefined();
    expect(breakGlassFor({ path: "/b.yaml", breakGlass: undefined }, "billing", FROM)).toBeUndefined();
  });
});
