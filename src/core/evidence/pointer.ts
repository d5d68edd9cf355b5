import { isDid } from "../atproto/syntax.ts";
import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import type { Digest } from "../oci/digest.ts";
import type { Pointer } from "./evidence.ts";
import { recordPath } from "./record-path.ts";

const DID_ANNOTATION = "io.atcr.atproto.did";
const RECORD_ANNOTATION = "io.atcr.atproto.recordUri";
/** Characters of a record's URI that are quoted; stops a payload from flooding saved and printed text. */
const MAX_URI = 200;

/**
 * The signer that a referrer's descriptor or manifest names. The field names are not documented, so an artifact without
 * them is not an error: its signer is unknown.
 *
 * @param annotations attacker-controlled
 * @param url where they were found
 */
export function pointerFromAnnotations(annotations: JsonObject, url: string, image: Digest): Pointer | undefined {
  return pointer(field(annotations, DID_ANNOTATION), field(annotations, RECORD_ANNOTATION), url, image);
}

/**
 * The signer that a signature artifact's payload names.
 *
 * @param bytes attacker-controlled JSON
 * @throws Rejection registry.bad_response
 */
export function pointerFromPayload(bytes: Uint8Array, url: string, image: Digest): Pointer | undefined {
  const payload = parseJson(bytes, "registry.bad_response", "a signature's payload");
  const atproto = isJsonObject(payload) ? field(payload, "atproto") : undefined;
  return isJsonObject(atproto) ? pointer(field(atproto, "did"), field(atproto, "recordUri"), url, image) : undefined;
}

/** Only the DID is used (spec 3.2); a pointer to another record is reported, not followed. */
function pointer(did: unknown, recordUri: unknown, url: string, image: Digest): Pointer | undefined {
  if (typeof did !== "string" || !isDid(did)) return undefined;
  const expected = `at://${did}/${recordPath(image)}`;
  if (typeof recordUri !== "string" || recordUri === expected) return { signer: did, url };
  return { signer: did, url, note: `points to ${JSON.stringify(recordUri.slice(0, MAX_URI))}, expected ${expected}` };
}
