import { describe, expect, it } from "vitest";
import { sources } from "../../packaging/docs-tables.ts";
import { WARNINGS, type Warning, Warnings } from "../../src/core/warning.ts";

describe("the table of warnings", () => {
  const elsewhere = [...sources()].filter(([file]) => file !== "src/core/warning.ts").map(([, text]) => text);

  it.each(Object.entries(WARNINGS))("%s is used, and means something that fits on a line", (code, meaning) => {
    expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*\.[a-z]+(?:_[a-z]+)*$/);
    expect(meaning).toMatch(/^[a-z][ -~]{10,90}[^.]$/);
    expect(elsewhere.some((text) => text.includes(`"${code}"`))).toBe(true);
  });
});

describe("warnings", () => {
  const full: Warning = { code: "cache.not_written", message: "no space left" };
  const again: Warning = { code: "cache.not_written", message: "no space left for another one" };
  const log: Warning = { code: "log.not_written", message: "no space left" };

  it("are passed on at once, each of them once, and collected in their order", () => {
    const told: Warning[] = [];
    const warnings = new Warnings((warning) => told.push(warning));
    for (const warning of [full, log, { ...full }, again, log]) {
      warnings.warn(warning);
      expect(warnings.all).toEqual(told);
    }
    expect(told).toEqual([full, log, again]);
    expect(warnings.codes).toEqual(["cache.not_written", "log.not_written"]);
  });
});
