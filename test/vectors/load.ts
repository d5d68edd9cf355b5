import { readdirSync, readFileSync } from "node:fs";
import { REJECTIONS } from "../../src/core/rejection.ts";
import type { Expected, Vector } from "../../src/verifier/selftest/vector.ts";

export type { Expected, Vector };

/** `file` stands for the file's name here, and is no key of it. */
type Fields<T> = readonly (readonly [name: Exclude<keyof T, "file">, isRight: (value: unknown) => boolean])[];

const isText = (value: unknown) => typeof value === "string" && value !== "";
const isMap = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
const oneOf =
  (...values: readonly string[]) =>
  (value: unknown) =>
    values.includes(value as string);

const VECTOR: Fields<Vector> = [
  ["description", isText],
  ["policy", isText],
  ["name", isText],
  ["digest", isText],
  ["mediaType", (value) => value === undefined || isText(value)],
  ["now", isText],
  ["witness", (value) => value === undefined || oneOf("seal", "import", "none")(value)],
  ["bundle", (value) => Array.isArray(value) && value.every(isMap)],
  ["expected", isMap],
];
const EXPECTED: Fields<Expected> = [
  ["outcome", oneOf("allow", "deny", "inconclusive", "misconfigured", "internal")],
  ["code", (value) => value === undefined || (typeof value === "string" && Object.hasOwn(REJECTIONS, value))],
  ["because", (value) => value === undefined || oneOf("signed", "exempt", "audited")(value)],
];

/** All vectors of this folder, in the order of their names. */
export function loadVectors(): readonly Vector[] {
  return vectorFiles().map((file) => readVector(file, readFileSync(new URL(file, import.meta.url), "utf8")));
}

export function vectorFiles(): readonly string[] {
  return readdirSync(new URL(".", import.meta.url))
    .filter((file) => file.endsWith(".json"))
    .toSorted();
}

/** Reads a vector strictly: what nobody would look at is an error. */
export function readVector(file: string, text: string): Vector {
  const vector = checked<Vector>(file, JSON.parse(text), VECTOR);
  checked<Expected>(`${file}: expected`, vector.expected, EXPECTED);
  return { ...vector, file };
}

function checked<T>(where: string, value: unknown, fields: Fields<T>): T {
  if (!isMap(value)) throw new Error(`${where} is not an object`);
  const found = value as Record<string, unknown>;
  for (const name of Object.keys(found)) {
    if (!fields.some(([known]) => known === name)) throw new Error(`${where} has the unknown key "${name}"`);
  }
  for (const [name, isRight] of fields) {
    if (!isRight(found[name as string])) throw new Error(`${where} has no right "${String(name)}"`);
  }
  return value as T;
}
