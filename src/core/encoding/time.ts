/**
 * Date-times of RFC 3339 in the profile that ATProto asks for (https://atproto.com/specs/lexicon#datetime):
 * upper-case `T` and `Z`, an offset always, never `-00:00`.
 */
export const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** Longest text that is read; a record may contain any text. */
const MAX_DATE_TIME = 64;

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** How far another's clock may be ahead of this node's (spec 5.7): 5 minutes in milliseconds. */
export const CLOCK_SKEW = 5 * 60 * 1000;

/** The Gregorian calendar repeats after 400 years. */
const CYCLE_YEARS = 400;
const CYCLE_MS = 146_097 * 24 * 60 * 60 * 1000;

/**
 * Reads a date-time such as `2024-01-31T12:00:00Z` or `2024-01-31T14:00:00.5+02:00`.
 *
 * The date must exist in the calendar; a leap second (`:60`) is rejected, as no clock here
 * represents it. Digits beyond the millisecond are cut off.
 *
 * @param text may be attacker-controlled
 * @returns whole milliseconds since 1970, undefined where the text is not such a date-time
 */
export function parseDateTime(text: string): number | undefined {
  if (text.length > MAX_DATE_TIME) return undefined;
  const match = DATE_TIME.exec(text);
  if (match === null) return undefined;
  const [, years, months, days, hours, minutes, seconds, fraction = "", sign, offsetHours, offsetMinutes] = match;
  const [year, month, day] = [Number(years), Number(months), Number(days)];
  const [hour, minute, second] = [Number(hours), Number(minutes), Number(seconds)];
  const [aheadHours, aheadMinutes] = [Number(offsetHours ?? 0), Number(offsetMinutes ?? 0)];

  if (day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  if (aheadHours > 23 || aheadMinutes > 59) return undefined;
  // RFC 3339 4.3: -00:00 says that the local offset is unknown.
  if (sign === "-" && aheadHours === 0 && aheadMinutes === 0) return undefined;

  const millisecond = Number(fraction.slice(0, 3).padEnd(3, "0"));
  // Date.UTC takes years 0 to 99 for 1900 to 1999; a whole cycle later it does not.
  const local = Date.UTC(year + CYCLE_YEARS, month - 1, day, hour, minute, second, millisecond) - CYCLE_MS;
  const ahead = (aheadHours * 60 + aheadMinutes) * 60_000;
  return sign === "-" ? local + ahead : local - ahead;
}

/** 0 for a month that does not exist. */
function daysInMonth(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (DAYS_IN_MONTH[month - 1] ?? 0);
}

/** The time as RFC 3339 in UTC without fractions, for messages; `ms` milliseconds since 1970. */
export function formatDateTime(ms: number): string {
  // A TID can encode a time beyond the range of Date.
  if (Math.abs(ms) > 8.64e15) return `${ms} ms after 1970`;
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
