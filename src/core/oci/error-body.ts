import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { Rejection } from "../rejection.ts";
import { optionalText } from "./descriptor.ts";

/** Bytes of an error answer; a larger one is ignored. */
const MAX_ERROR = 4 * 1024;

/**
 * Error text of a registry or its token server: the first of `errors` (OCI distribution spec, Error Codes), or
 * OAuth 2.0's `error` and `error_description` (RFC 6749 5.2); some token servers send only `details`.
 *
 * @param bytes attacker-controlled
 * @returns the error's name and message, where present
 */
export function errorWords(bytes: Uint8Array): readonly (string | undefined)[] {
  const body = bytes.length > MAX_ERROR ? undefined : objectIn(bytes);
  if (body === undefined) return [];
  const errors = field(body, "errors");
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (isJsonObject(first)) return [optionalText(first, "code"), optionalText(first, "message")];
  const message = ["error_description", "message", "details"].map((name) => optionalText(body, name));
  return [optionalText(body, "error"), message.find((text) => text !== undefined)];
}

function objectIn(bytes: Uint8Array): JsonObject | undefined {
  try {
    const json = parseJson(bytes, "registry.bad_response", "the error");
    return isJsonObject(json) ? json : undefined;
  } catch (error) {
    if (error instanceof Rejection) return undefined; // only the status is reported then
    throw error;
  }
}
