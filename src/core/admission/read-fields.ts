import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { reject } from "../rejection.ts";

/**
 * Fields of a request. Go writes null for an empty list or pointer, so null counts as absent; any other type than the
 * expected one is a mistake and never skipped. Each throws Rejection input.malformed, with the path of the field.
 */

/** The field's object; undefined where it is absent. */
export function objectIn(parent: JsonObject, name: string, path: string): JsonObject | undefined {
  const value = field(parent, name) ?? undefined;
  return value === undefined || isJsonObject(value) ? value : wrong(`${path}.${name}`, value, "an object");
}

/** The objects of a list, none where it is absent. */
export function objectsIn(parent: JsonObject, name: string, path: string): readonly JsonObject[] {
  const value = field(parent, name) ?? [];
  if (!Array.isArray(value)) return wrong(`${path}.${name}`, value, "a list");
  return value.map((item: unknown, i) =>
    isJsonObject(item) ? item : wrong(`${path}.${name}[${i}]`, item, "an object"),
  );
}

/** The field's text; undefined where it is absent. */
export function textIn(parent: JsonObject, name: string, path: string): string | undefined {
  const value = field(parent, name) ?? undefined;
  return value === undefined || typeof value === "string" ? value : wrong(`${path}.${name}`, value, "a text");
}

/** The texts of a list, at most `most`. */
export function textsIn(parent: JsonObject, name: string, path: string, most: number): readonly string[] {
  const value = field(parent, name);
  if (!Array.isArray(value)) return wrong(`${path}.${name}`, value, "a list of texts");
  if (value.length > most) return malformed(`${path}.${name} has ${value.length} entries, expected at most ${most}`);
  return value.map((item: unknown, i) =>
    typeof item === "string" ? item : wrong(`${path}.${name}[${i}]`, item, "a text"),
  );
}

/** The field's truth value; false where it is absent. */
export function flagIn(parent: JsonObject, name: string, path: string): boolean {
  const value = field(parent, name) ?? false;
  return typeof value === "boolean" ? value : wrong(`${path}.${name}`, value, "true or false");
}

/** A label of RFC 1123, as the API server demands of namespaces. */
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The name of a namespace; undefined where there is none. */
export function namespaceIn(parent: JsonObject, path: string): string | undefined {
  const name = textIn(parent, "namespace", path) ?? "";
  if (name === "") return undefined;
  return NAMESPACE.test(name) ? name : malformed(`${path}.namespace is no name of a namespace`);
}

/** Checks what an object says that it is. */
export function checkType(value: unknown, apiVersion: string, kind: string, what: string): JsonObject {
  if (!isJsonObject(value)) return wrong(what, value, "an object");
  const [version, name] = [field(value, "apiVersion"), field(value, "kind")];
  if (version === apiVersion && name === kind) return value;
  const found = `apiVersion ${quoted(version)} and kind ${quoted(name)}`;
  return malformed(`${what} has ${found}, expected "${apiVersion}" and "${kind}"`);
}

/** Longest text of a request that a message repeats, characters. */
const MAX_REPEATED = 100;

function quoted(value: unknown): string {
  return typeof value === "string" ? `"${value.slice(0, MAX_REPEATED)}"` : "none";
}

function wrong(path: string, found: unknown, expected: string): never {
  return malformed(`${path} is ${kindOf(found)}, expected ${expected}`);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (typeof value === "object") return Array.isArray(value) ? "a list" : "an object";
  return typeof value === "string" ? "a text" : `a ${typeof value}`;
}

export function malformed(message: string): never {
  reject("input.malformed", message);
}
