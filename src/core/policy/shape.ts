import * as v from "valibot";
import { closest } from "../encoding/closest.ts";
import type { YamlFile, YamlPath, YamlProblem } from "../encoding/yaml.ts";

/**
 * Building blocks for the shapes of policy and configuration files. Each block describes what is expected, so that a
 * problem reads as a sentence. Values such as DIDs, times and scopes are parsed in parse-policy.ts; JSON Schema is
 * generated from the shapes.
 */
export type Infer<S extends Shape> = v.InferOutput<S>;
type Shape = v.GenericSchema;

export const optional = v.optional;
export const nullable = v.nullable;
export const boolean = (): v.GenericSchema<boolean> => v.boolean("true or false");

/** @param pattern only for JSON Schema: matches at least what the parser accepts */
export const text = (expected: string, pattern?: RegExp): v.GenericSchema<string> =>
  pattern === undefined ? v.string(expected) : v.pipe(v.string(expected), v.metadata({ pattern: pattern.source }));

/** A display name: printed in reasons, so it is one short line. */
export const label = (expected: string): v.GenericSchema<string> =>
  v.pipe(
    v.string(expected),
    v.minLength(1, expected),
    v.maxLength(MAX_LABEL, `${expected}, of at most ${MAX_LABEL} characters`),
    v.regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, `${expected}, without control characters`),
  );
const MAX_LABEL = 128;

export const atLeastOne = (expected: string): v.GenericSchema<number> =>
  v.pipe(v.number(expected), v.safeInteger(expected), v.minValue(1, expected));

export const oneOf = <const T extends readonly (string | number)[]>(values: T, expected: string) =>
  v.picklist(values, expected);

export const list = <S extends Shape>(item: S, expected: string) => v.array(item, expected);

export const nonEmptyList = <S extends Shape>(item: S, expected: string) =>
  v.pipe(v.array(item, expected), v.nonEmpty(`${expected}, with at least one entry`));

export const either = <A extends Shape, B extends Shape>(a: A, b: B, expected: string) => v.union([a, b], expected);

/** A map with names as keys. */
export const map = <S extends Shape>(key: v.GenericSchema<string>, value: S, expected: string) =>
  v.pipe(v.custom<Record<string, unknown>>(isMap, expected), v.record(key, value, expected));

export const nonEmptyMap = <S extends Shape>(key: v.GenericSchema<string>, value: S, expected: string) =>
  v.pipe(map(key, value, expected), v.minEntries(1, `${expected}, with at least one entry`));

/** A map with these keys and no others. */
export const keys = <E extends v.ObjectEntries>(entries: E, expected: string) =>
  v.pipe(
    v.custom<Record<string, unknown>>(isMap, expected),
    v.strictObject(entries, ({ expected: key }) =>
      // The library reports `never` for an unknown key, and the name of a missing one.
      key === "never" ? unknownKey(Object.keys(entries)) : `${MISSING}${key}`,
    ),
    v.description(expected),
  );

/** Needed because the library accepts a list in place of a map: to it, a list is an object with the keys 0, 1, 2. */
function isMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const MISSING = "the key ";
const UNKNOWN = "one of the keys ";
const unknownKey = (known: readonly string[]) => `${UNKNOWN}${known.join(", ")}`;

/** What to do about an unknown key at this path; undefined where only the known ones can be listed. */
export type Hint = (path: YamlPath) => string | undefined;

/**
 * Checks the file's value against a shape.
 *
 * @param hint advice for an unknown key at this path, where one is known from elsewhere or belongs elsewhere
 * @throws Rejection with the file's code, for the first problem in the file
 */
export function checkShape<S extends Shape>(file: YamlFile, shape: S, hint: Hint = () => undefined): Infer<S> {
  const result = v.safeParse(shape, file.value);
  if (result.success) return result.output;
  const problems = result.issues.map((issue) => toProblem(mostTelling(issue), hint));
  // Report a misspelt key before the key that is missing because of it.
  const present = problems.filter(({ expected }) => !expected.startsWith(MISSING));
  const candidates = present.length > 0 ? present : problems;
  file.fail(candidates.reduce((a, b) => (file.offsetOf(b) < file.offsetOf(a) ? b : a)));
}

type Telling = Pick<v.BaseIssue<unknown>, "message"> & { path: YamlPath };

/** The problem of the union's alternative that matched furthest; else the union's own description. */
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

function toProblem({ message, path }: Telling, hint: Hint): YamlProblem {
  const key = String(path.at(-1) ?? "");
  if (message === `${MISSING}"version"`) return { path, expected: message, advice: "write: version: 1.0" };
  if (!message.startsWith(UNKNOWN)) return { path, expected: message };
  const advice = hint(path);
  const similar = advice === undefined ? closest(key, message.slice(UNKNOWN.length).split(", ")) : undefined;
  // The likeliest mistake first: the list of keys is long.
  const found = `the unknown key "${key}"${similar === undefined ? "" : ` (did you mean ${similar}?)`}`;
  return { path, isKey: true, found, expected: message, ...(advice !== undefined && { advice }) };
}
