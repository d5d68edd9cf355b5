/** What many runs come to, and how two programs compare that ran in pairs. Pure. */

/** How sure an interval is to hold the true median, at least. */
const CONFIDENCE = 0.95;
/** A ratio above this is worse: what is below it is no difference that anybody would notice. */
const TOLERATED = 1.03;

/** The median of the ratios of pairs, and where the true median lies with a confidence of 95 %. */
export interface PairedRatio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Whether the whole interval lies above what is tolerated. */
  readonly isWorse: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted.length >> 1;
  const lower = sorted.length % 2 === 0 ? upper - 1 : upper;
  return ((sorted[lower] ?? Number.NaN) + (sorted[upper] ?? Number.NaN)) / 2;
}

/** Median (min, max), to one decimal place. */
export function spread(values: readonly number[]): string {
  return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)}, ${Math.max(...values).toFixed(1)})`;
}

/**
 * Compares two programs by what each took in the same pair, so that a machine that is busy for a while weighs
 * on both. The interval is that of the sign test, whatever the distribution: from the k-th smallest ratio to the k-th
 * largest, k as large as the binomial distribution allows.
 *
 * @param before what the first program took, in the order of the pairs
 * @param after the same of the second
 * @throws RangeError where there are fewer than six pairs, which have no such interval
 */
export function pairedRatio(before: readonly number[], after: readonly number[]): PairedRatio {
  if (before.length !== after.length) throw new RangeError(`${before.length} and ${after.length} runs are no pairs`);
  const ratios = after.map((took, i) => took / (before[i] ?? Number.NaN)).toSorted((a, b) => a - b);
  const k = outermostRank(ratios.length);
  if (k === 0) throw new RangeError(`${ratios.length} pairs are too few for an interval, expected 6 or more`);
  const [low, high] = [ratios[k - 1] ?? Number.NaN, ratios[ratios.length - k] ?? Number.NaN];
  return { median: median(ratios), low, high, isWorse: low > TOLERATED };
}

/** The largest k for which the median of n lies outside the k-th smallest and k-th largest no more often than allowed. */
function outermostRank(n: number): number {
  // By logarithms: 0.5 ** n is zero for large n.
  let logOfTerm = n * Math.log(0.5);
  let below = Math.exp(logOfTerm);
  let k = 0;
  while (2 * below <= 1 - CONFIDENCE) {
    logOfTerm += Math.log((n - k) / (k + 1));
    k++;
    below += Math.exp(logOfTerm);
  }
  return k;
}
