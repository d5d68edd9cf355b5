import { describe, expect, it } from "vitest";
import { median, pairedRatio, spread } from "./figures.ts";

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const ones = (n: number) => upTo(n).map(() => 1);

/** How often the true median lies between the k-th smallest and the k-th largest of n, counted exactly. */
function coverage(n: number, k: number): number {
  let [term, outside] = [1n, 0n];
  for (let i = 0n; i < k; i++) {
    outside += term;
    term = (term * (BigInt(n) - i)) / (i + 1n);
  }
  const all = 1n << BigInt(n);
  return Number(((all - 2n * outside) * 1_000_000n) / all) / 1_000_000;
}

describe("median", () => {
  it.each([
    [[3], 3],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100], 10],
  ])("of %j is %d", (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it("stands before the least and the most", () => {
    expect(spread([2, 10, 1])).toBe("2.0 (1.0, 10.0)");
  });
});

describe("pairedRatio", () => {
  // Ranks as tables of the sign test have them.
  it.each([
    [6, 1],
    [8, 1],
    [9, 2],
    [10, 2],
    [25, 8],
    [30, 10],
    [100, 40],
    [200, 86],
  ])("of %d pairs leaves out %d at each end, one less", (n, k) => {
    const { low, high, median: middle } = pairedRatio(ones(n), upTo(n));
    expect([low, middle, high]).toEqual([k, (n + 1) / 2, n + 1 - k]);
    expect(coverage(n, k)).toBeGreaterThanOrEqual(0.95);
    expect(coverage(n, k + 1)).toBeLessThan(0.95);
  });

  it("counts thousands of pairs", () => {
    const { low, high } = pairedRatio(ones(5000), upTo(5000));
    expect(coverage(5000, low)).toBeGreaterThanOrEqual(0.95);
    expect(coverage(5000, low + 1)).toBeLessThan(0.95);
    expect(low + high).toBe(5001);
  });

  it("divides within each pair, so that what both suffered does not count", () => {
    const busy = [10, 500, 20, 80, 1000, 40, 10];
    const slower = busy.map((took) => took * 2);
    expect(pairedRatio(busy, slower)).toEqual({ median: 2, low: 2, high: 2, isWorse: true });
    expect(pairedRatio(slower, busy)).toEqual({ median: 0.5, low: 0.5, high: 0.5, isWorse: false });
  });

  it("is worse only where the whole interval lies above 1.03", () => {
    const of = (...ratios: number[]) => pairedRatio(ones(ratios.length), ratios).isWorse;
    expect(of(1.04, 1.04, 1.04, 1.04, 1.04, 1.04)).toBe(true);
    expect(of(1.03, 1.04, 1.04, 1.04, 1.04, 1.04)).toBe(false);
    expect(of(2, 2, 2, 0.5, 2, 2)).toBe(false);
    // Of nine, one at each end may lie anywhere.
    expect(of(0.5, 1.04, 1.04, 1.04, 1.04, 1.04, 1.04, 1.04, 9)).toBe(true);
  });

  it("refuses what has no interval", () => {
    expect(() => pairedRatio(ones(5), ones(5))).toThrow(RangeError);
    expect(() => pairedRatio([], [])).toThrow(RangeError);
    expect(() => pairedRatio(ones(6), ones(7))).toThrow(RangeError);
  });
});
