import { describe, expect, it } from "vitest";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { breakGlassText, isCovered, MAX_BROKEN, whyNotInForce } from "../../../../src/core/policy/break-glass.ts";
import { readBreakGlass } from "../../../../src/core/policy/parse-break-glass.ts";
import { codeOf } from "../../../support/rejection.ts";

const HOUR = 3_600_000;
const UNTIL = "2026-01-31T12:00:00Z";
const END = Date.UTC(2026, 0, 31, 12);
const read = (values: Readonly<Record<string, unknown>> = {}) =>
  readBreakGlass(JSON.stringify({ reason: "INC-1", until: UNTIL, scope: "a.example/**", ...values }), "file");

describe("a break-glass file", () => {
  it("has a reason, an end and scopes", () => {
    expect(read()).toMatchObject({ reason: "INC-1", until: END, scopes: [{ text: "a.example/**" }] });
    expect(read({ scope: ["a.example/*", "**"] }).scopes.map(({ text }) => text)).toEqual(["a.example/*", "**"]);
  });

  it.each([
    { reason: undefined },
    { until: undefined },
    { scope: undefined },
    { reason: "" },
    { reason: "a\nb" },
    { reason: "x".repeat(129) },
    { until: "2026-02-30T12:00:00Z" },
    { until: "2026-01-31" },
    { until: 1 },
    { scope: [] },
    { scope: "nginx" },
    { scope: ["a.example/**", "*"] },
    { more: 1 },
  ])("is refused with %j", (values) => {
    expect(codeOf(() => read(values))).toBe("config.invalid");
  });

  it.each([
    [END - HOUR, END - HOUR, undefined],
    [END - 24 * HOUR, END - 24 * HOUR, undefined],
    [END - 24 * HOUR, END - 1, undefined],
    [END - 24 * HOUR - 1, END - 24 * HOUR - 1, "more than 24 h"],
    [END - 24 * HOUR - 1, END - HOUR, "more than 24 h"],
    [END - HOUR, END - 25 * HOUR, "in the future"],
    [END - 23 * HOUR, END - 24 * HOUR - 1, "in the future"],
    [END - 24 * HOUR + 60_000, END - 24 * HOUR - 1, "more than 24 h"],
    [END - HOUR, END, "expired"],
    [END - HOUR, END + HOUR, "expired"],
  ])("written at %i, at %i: %s", (writtenAt, now, because) => {
    const found = whyNotInForce(read(), writtenAt, now);
    expect(because === undefined ? found : found?.includes(because)).toBe(because === undefined ? undefined : true);
  });

  it("is about what one of its scopes is about", () => {
    const broken = read({ scope: ["a.example/x", "b.example/**"] });
    const covered = (name: string) => isCovered(broken, parseReference(name));
    expect(["a.example/x:v1", "b.example/y/z", "a.example/y"].map(covered)).toEqual([true, true, false]);
  });
});

describe("breakGlassText", () => {
  it.each(["x", 'a "b": {c}', "# x", "*", "ä", "'", "a\\nb", "null"])(
    "writes what is read, for the reason %j",
    (reason) => {
      const text = breakGlassText({ reason, until: END + 999, scopes: ["a.example/**", "**"] });
      const { scopes, ...rest } = readBreakGlass(text, "b.yaml");
      expect(rest).toEqual({ reason, until: END });
      expect(scopes.map((one) => one.text)).toEqual(["a.example/**", "**"]);
    },
  );

  it("never writes a later time, so that 24 hours are not too long", () => {
    const until = END + MAX_BROKEN + 1;
    const read = readBreakGlass(breakGlassText({ reason: "x", until, scopes: ["**"] }), "b.yaml");
    expect(whyNotInForce(read, END + 1, END + 1)).toBeUndefined();
  });
});
