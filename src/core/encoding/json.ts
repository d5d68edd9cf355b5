import { type RejectionCode, reject } from "../rejection.ts";
import { fromUtf8 } from "./bytes.ts";

/** A parsed JSON object with unchecked fields. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads JSON (RFC 8259) from bytes that must be well-formed UTF-8.
 *
 * @param bytes attacker-controlled; the caller has bounded their number
 * @param what names the document in the message: `the DID document`
 * @throws Rejection `code`
 */
export function parseJson(bytes: Uint8Array, code: RejectionCode, what: string): unknown {
  const text = fromUtf8(bytes);
  if (text === undefined) reject(code, `${what} is not UTF-8`);
  try {
    return JSON.parse(text);
  } catch (error) {
    // A RangeError (nested deeper than the engine's stack) is the document's fault like any other.
    reject(code, `${what} is not JSON`, error);
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own field's value; inherited names such as `constructor` do not count. */
export function field(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
