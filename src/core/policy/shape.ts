import * as v from "valibot";
import { closest } from "../encoding/closest.ts";
import type { YamlFile, YamlPath, YamlProblem } from "../encoding/yaml.ts";

/**
 * The building blocks from which the shapes of policy and configuration files are made. Every block
 * carries the words for what was expected, so that a problem reads as a sentence. What is more than
 * shape (a DID, a time, a scope) is read by parse-policy.ts; JSON Schema can be generated from the shapes.
 */
export type Infer<S extends Shape> = v.InferOutput<S>;
type Shape = v.GenericSchema;

export const optional = v.optional;
export const nullable = v.nullable;
export const boolean = (): v.GenericSchema<boolean> => v.boolean("true or false");

/** @param pattern for JSON Schema alone: matches at least what the parser takes, and decides nothing there */
export const text = (expected: string, pattern?: RegExp): v.GenericSchema<string> =>
  pattern === undefined ? v.string(expected) : v.pipe(v.string(expected), v.metadata({ pattern: pattern.source }));

/** A name for people: printed in reasons, so it is one short line. */
export const label = (expected: string): v.GenericSchema<string> =>
  v.pipe(
    v.string(expected),
    v.minLength(1, expected),
    v.maxLength(MAX_LABEL, `${expected}, of ${MAX_LABEL} characters at most`),
    v.regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, `${expected}, without control characters`),
  );
const MAX_LABEL = 128;

export const atLeastOne = (expected: string): v.GenericSchema<number> =>
  v.pipe(v.number(expected), v.safeInteger(expected), v.minValue(1, expected));

export const oneOf = <const T extends readonly (string | number)[]>(values: T, expected: string) =>
  v.picklist(values, expected);

export const list = <S extends Shape>(item: S, expected: string) => v.array(item, expected);

export const nonEmptyList = <S extends Shape>(item: S, expected: string) =>
  v.pipe(v.array(item, expected), v.nonEmpty(`${expected}, with one entry at least`));

export const either = <A extends Shape, B extends Shape>(a: A, b: B, expected: string) => v.union([a, b], expected);

/** A map with names as keys. */
export const map = <S extends Shape>(key: v.GenericSchema<string>, value: S, expected: string) =>
  v.pipe(v.custom<Record<string, unknown>>(isMap, expected), v.record(key, value, expected));

export const nonEmptyMap = <S extends Shape>(key: v.GenericSchema<string>, value: S, expected: string) =>
  v.pipe(map(key, value, expected), v.minEntries(1, `${expected}, with one entry at least`));

/** A map with these keys and no others. */
export const keys = <E extends v.ObjectEntries>(entries: E, expected: string) =>
  v.pipe(
    v.custom<Record<string, unknown>>(isMap, expected),
    v.strictObject(entries, ({ expected: key }) =>
      // The library says `never` of a key that is too much, and names one that is missing.
      key === "never" ? unknownKey(Object.keys(entries)) : `${MISSING}${key}`,
    ),
    v.description(expected),
  );

/** The library takes a list for an object with the keys 0, 1, 2, and an empty one for any object. */
function isMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const MISSING = "the key ";
const UNKNOWN = "one of the keys ";
const unknownKey = (known: readonly string[]) => `${UNKNOWN}${known.join(", ")}`;

/**
 * Checks the file's value against a shape.
 *
 * @param hints what to do about keys that people know from elsewhere
 * @throws Rejection the file's code, for the problem that stands first in the file
 */
export function checkShape<S extends Shape>(
  file: YamlFile,
  shape: S,
  hints: ReadonlyMap<string, string> = new Map(),
): Infer<S> {
  const result = v.safeParse(shape, file.value);
  if (result.success) return result.output;
  const problems = result.issues.map((issue) => toProblem(mostTelling(issue), hints));
  // A misspelt key is told before the key that is missing because of it.
  const present = problems.filter(({ expected }) => !expected.startsWith(MISSING));
  const candidates = present.length > 0 ? present : problems;
  file.fail(candidates.reduce((a, b) => (file.offsetOf(b) < file.offsetOf(a) ? b : a)));
}

type Telling = Pick<v.BaseIssue<unknown>, "message"> & { path: YamlPath };

/** Of the alternatives of a union, the complaint of the one that got furthest; else the union's own words. */
function mostTelling(issue: v.BaseIssue<unknown>): Telling {
  const path = pathOf(issue);
  let best: Telling = { message: issue.message, path };
  for (const alternative of issue.issues ?? []) {
    const { message, path: inner } = mostTelling(alternative);
    if (path.length + inner.length > best.path.length) best = { message, path: [...path, ...inner] };
  }
  return best;
}

function pathOf(issue: v.BaseIssue<unknown>): YamlPath {
  return (issue.path ?? []).map(({ key }) => key as string | number);
}

function toProblem({ message, path }: Telling, hints: ReadonlyMap<string, string>): YamlProblem {
  const key = String(path.at(-1) ?? "");
  if (message === `${MISSING}"version"`) return { path, expected: message, advice: "write: version: 1.0" };
  if (!message.startsWith(UNKNOWN)) return { path, expected: message };
  const hint = path.length === 1 ? hints.get(key) : undefined;
  const similar = hint === undefined ? closest(key, message.slice(UNKNOWN.length).split(", ")) : undefined;
  // The likeliest mistake first: the list of keys is long.
  const found = `the unknown key "${key}"${similar === undefined ? "" : ` (did you mean ${similar}?)`}`;
  return { path, isKey: true, found, expected: message, ...(hint !== undefined && { advice: hint }) };
}
