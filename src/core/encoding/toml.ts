import { parse, TomlError } from "smol-toml";
import { isJsonObject, type JsonObject } from "./json.ts";

/** Why a text is not TOML. */
export interface TomlProblem {
  /** From 1. */
  readonly line: number;
  readonly problem: string;
}

/**
 * Reads TOML 1.0.
 *
 * @returns the document, keys of each table in the order of the file; undefined where the text is not TOML
 */
export function parseToml(text: string): JsonObject | undefined {
  const read = readToml(text);
  return "problem" in read ? undefined : read.document;
}

/** Like {@link parseToml}, but reports the problem. */
export function readToml(text: string): { readonly document: JsonObject } | TomlProblem {
  try {
    const document: unknown = parse(text);
    return { document: isJsonObject(document) ? document : {} };
  } catch (error) {
    // A RangeError (nested deeper than the engine's stack) is the document's fault like any other.
    const [problem = ""] = String((error as Error).message).split("\n");
    return { line: error instanceof TomlError ? error.line : 1, problem };
  }
}
