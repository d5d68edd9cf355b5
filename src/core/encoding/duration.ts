/** Nanoseconds in each unit of Go's time.ParseDuration, and `d` for 24 hours. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n], // U+00B5, micro sign
  ["μs", 1_000n], // U+03BC, Greek letter mu
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
  ["d", 86_400_000_000_000n],
]);

/** A number with digits before or after the point, and its unit. */
const PART = /(?:(\d+)(?:\.(\d*))?|\.(\d+))([a-zµμ]+)/y;

/** The form of a duration; {@link parseDuration} checks the units. */
export const DURATION = new RegExp(`^(?:0|(?:${PART.source})+)$`);

/** Longest text that is read, so that its digits stay cheap to multiply. */
const MAX_DURATION = 64;

/** Go's longest duration, 2^63 - 1 ns or about 292 years, so that a span read here can be read there. */
const MAX_NANOSECONDS = 2n ** 63n - 1n;

/**
 * Reads a duration in Go's syntax, plus `d` for 24 hours: `10s`, `1h30m`, `1.5h`, `90d`, `0`. A sign is not allowed.
 *
 * @returns milliseconds, with a fraction if the text has one; undefined where it is not a duration
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > MAX_DURATION) return undefined;
  let total = 0n;
  let at = 0;
  while (at < text.length) {
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (match === null) return undefined;
    const [whole, integer = "0", afterInteger, bare, name = ""] = match;
    const unit = UNITS.get(name);
    if (unit === undefined) return undefined;
    const fraction = afterInteger ?? bare ?? "";
    total += BigInt(integer) * unit + (BigInt(`0${fraction}`) * unit) / 10n ** BigInt(fraction.length);
    at += whole.length;
  }
  if (at === 0 || total > MAX_NANOSECONDS) return undefined;
  return Number(total) / 1e6;
}
