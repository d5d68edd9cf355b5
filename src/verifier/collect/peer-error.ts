import { field, isJsonObject, parseJson } from "../../core/encoding/json.ts";
import { Rejection } from "../../core/rejection.ts";
import type { HttpResponse } from "../../io/net/exchange.ts";
import { quotePeer } from "../../io/net/quote-peer.ts";

/** Bytes of an answer that says why there is none: a larger one is not read. */
const MAX_ERROR = 4 * 1024;

/** An error as XRPC servers and directories name it: `{"error": NAME, "message": SENTENCE}`; attacker-controlled. */
export interface PeerError {
  readonly name?: string;
  readonly message?: string;
}

/** @param response attacker-controlled */
export function readError({ body }: HttpResponse): PeerError {
  if (body.length > MAX_ERROR) return {};
  try {
    const json = parseJson(body, "pds.bad_response", "the answer");
    const [name, message] = isJsonObject(json) ? [field(json, "error"), field(json, "message")] : [];
    return { ...(typeof name === "string" && { name }), ...(typeof message === "string" && { message }) };
  } catch (error) {
    if (error instanceof Rejection) return {}; // the status alone says it then
    throw error;
  }
}

/** `: it says "NAME: SENTENCE"`, for the end of a message about a service that was sent nothing secret; or nothing. */
export function itSays({ name, message }: PeerError): string {
  const quoted = quotePeer([name, message], []);
  return quoted === undefined ? "" : `: it says ${quoted}`;
}
