import { describe, expect, it } from "vitest";
import { DURATION, parseDuration } from "../../../../src/core/encoding/duration.ts";

describe("parseDuration", () => {
  it.each([
    ["10s", 10_000],
    ["5m", 300_000],
    ["90d", 7_776_000_000],
    ["1h30m", 5_400_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1000],
    ["1.005s", 1005],
    ["1500ms", 1500],
    ["1us", 0.001],
    ["1µs", 0.001],
    ["1μs", 0.001],
    ["100ns", 0.0001],
    ["1d12h", 129_600_000],
    ["0", 0],
    ["0s", 0],
    ["2540400h10m10.000000000s", 9_145_440_610_000],
  ])("reads %s, which has the form of a span", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
    expect(text).toMatch(DURATION);
  });

  it.each([
    "",
    "5",
    "s",
    ".s",
    "-5s",
    "+5s",
    "5 s",
    "5S",
    "5w",
    "5y",
    "1h30",
    "1e3s",
    "0x5s",
    "1.2.3s",
    "5s ",
    "9223372036854775808ns",
    "106752d",
    `${"9".repeat(1000)}s`,
    `0.${"0".repeat(1000)}s`,
  ])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("reads 292 years, which messages name as the longest", () => {
    expect(parseDuration(`${292 * 365.25}d`)).toBe(292 * 365.25 * 86_400_000);
    expect(parseDuration(`${293 * 365.25}d`)).toBeUndefined();
  });
});
