import * as v from "valibot";
import { closest } from "../encoding/closest.ts";
import type { YamlFile, YamlPath, YamlProblem } from "../encoding/yaml.ts";

/**
 * Building blocks for the shapes of policy and configuration files, and of the JSON that is printed. Each block describes
 * what is expected, so that a problem reads as a sentence. Values such as DIDs, times and scopes are parsed in
 * parse-policy.ts; JSON Schema is generated from the shapes.
 */
export type Infer<S extends Shape> = v.InferOutput<S>;
/** The same, for what is made and not read. */
export type InferFrozen<S extends Shape> = Frozen<v.InferOutput<S>>;
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;
export type Shape = v.GenericSchema;

export const optional = v.optional;
export const nullable = v.nullable;
export const boolean = (expected = "true or false"): v.GenericSchema<boolean> => v.boolean(expected);

/** True alone, or false alone. */
export const always = <const T extends boolean>(value: T, expected: string) => v.literal(value, expected);

export const whole = (expected: string, least = 0): v.GenericSchema<number> =>
  v.pipe(v.number(expected), v.safeInteger(expected), v.minValue(least, expected));

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

export const atLeastOne = (expected: string): v.GenericSchema<number> => whole(expected, 1);

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
  const matched = matchShape(file, shape, file.value, hint);
  return "problems" in matched ? file.fail(matched.problems[0]) : matched.output;
}

/** What is wrong with the shape of a value, in the order of the file. */
export interface ShapeProblem extends YamlProblem {
  readonly kind: "unknown" | "missing" | "wrong";
  /** The known key that an unknown one probably means. */
  readonly similar?: string;
}

/**
 * Matches a value, which is the file's or made from it, with a shape. A map's missing keys are not among the problems as
 * long as there are others: a key may be missing because it is misspelt. Of several unknown keys of a map one is reported.
 */
export function matchShape<S extends Shape>(
  file: YamlFile,
  shape: S,
  value: unknown,
  hint: Hint,
): { readonly output: Infer<S> } | { readonly problems: readonly [ShapeProblem, ...ShapeProblem[]] } {
  const result = v.safeParse(shape, value);
  if (result.success) return { output: result.output };
  const problems = result.issues.map((issue) => toProblem(mostTelling(issue), hint));
  const present = problems.filter(({ kind }) => kind !== "missing");
  const candidates = present.length > 0 ? present : problems;
  const [first, ...more] = candidates.toSorted((a, b) => file.offsetOf(a) - file.offsetOf(b));
  // A failed match has at least one issue.
  return { problems: [first as ShapeProblem, ...more] };
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

function toProblem({ message, path }: Telling, hint: Hint): ShapeProblem {
  const key = String(path.at(-1) ?? "");
  const kind = message.startsWith(MISSING) ? "missing" : "wrong";
  if (message === `${MISSING}"version"`) return { kind, path, expected: message, advice: "write: version: 1.0" };
  if (!message.startsWith(UNKNOWN)) return { kind, path, expected: message };
  const advice = hint(path);
  const similar = advice === undefined ? closest(key, message.slice(UNKNOWN.length).split(", ")) : undefined;
  // The likeliest mistake first: the list of keys is long.
  const found = `the unknown key "${key}"${similar === undefined ? "" : ` (did you mean ${similar}?)`}`;
  return {
    kind: "unknown",
    path,
    isKey: true,
    found,
    expected: message,
    ...(advice !== undefined && { advice }),
    ...(similar !== undefined && { similar }),
  };
}
