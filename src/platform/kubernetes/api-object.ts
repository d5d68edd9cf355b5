import { field, isJsonObject, type JsonObject } from "../../core/encoding/json.ts";

/**
 * Fields of what an API server answers. It has checked the types of its own kinds, but not those of custom resources, so what has
 * another type than expected counts as absent.
 */
export function textIn(object: JsonObject, name: string): string | undefined {
  const value = field(object, name);
  return typeof value === "string" ? value : undefined;
}

export function numberIn(object: JsonObject, name: string): number | undefined {
  const value = field(object, name);
  return typeof value === "number" ? value : undefined;
}

/** Empty where there is none. */
export function mapIn(object: JsonObject, name: string): JsonObject {
  const value = field(object, name);
  return isJsonObject(value) ? value : {};
}

/** Its maps alone. */
export function mapsIn(object: JsonObject, name: string): readonly JsonObject[] {
  const value = field(object, name);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Its texts alone. */
export function textsIn(object: JsonObject, name: string): readonly string[] {
  const value = field(object, name);
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** Pairs of text, such as labels. */
export function labelsIn(object: JsonObject, name: string): ReadonlyMap<string, string> {
  const pairs = Object.entries(mapIn(object, name));
  return new Map(pairs.filter((pair): pair is [string, string] => typeof pair[1] === "string"));
}

/** `metadata.name` of an object; empty where it has none. */
export function nameOf(object: JsonObject): string {
  return textIn(mapIn(object, "metadata"), "name") ?? "";
}
