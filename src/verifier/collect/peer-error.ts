import { field, isJsonObject, parseJson } from "../../core/encoding/json.ts";
import { Rejection } from "../../core/rejection.ts";
import type { HttpResponse } from "../../io/net/exchange.ts";
import { quotePeer } from "../../io/net/quote-peer.ts";

/** Bytes of an error answer; a larger one is ignored. */
const MAX_ERROR = 4 * 1024;

/** An error as XRPC servers and directories send it: `{"error": NAME, "message": SENTENCE}`; attacker-controlled. */
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
    if (error instanceof Rejection) return {}; // only the status is reported then
    throw error;
  }
}

/** `: it says "NAME: SENTENCE"`, to end a message about a service that was sent no secret; empty where it says nothing. */
export function itSays({ name, message }: PeerError): string {
  const quoted = quotePeer([name, message], []);
  return quoted === undefined ? "" : `: it says ${quoted}`;
}
