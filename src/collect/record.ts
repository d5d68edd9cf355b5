import type { Identity } from "../atproto/identity.ts";
import { field, isJsonObject, parseJson } from "../encoding/json.ts";
import type { HttpResponse } from "../net/exchange.ts";
import { Rejection } from "../rejection.ts";
import type { Fetched } from "../verify/evidence.ts";
import { ask, badStatus, type CollectContext, fetched, hostOf, Missing } from "./context.ts";

/** Cap on a proof (spec 4): real ones have a few kilobytes. */
const MAX_PROOF = 2 * 1024 * 1024;
/** Bytes of an answer that says why there is no proof: whoever serves more is not told apart from others by reading it. */
const MAX_ERROR = 4 * 1024;
/** Errors by which a PDS says that it does not serve this repo (com.atproto.sync.getRecord). */
const UNAVAILABLE: ReadonlySet<string> = new Set(["RepoNotFound", "RepoDeactivated", "RepoTakendown", "RepoSuspended"]);

/** Where a record stands in a repo. */
export interface RecordAddress {
  readonly collection: string;
  readonly rkey: string;
}

/**
 * Fetches the proof of what the signer's repo holds at an address (spec 3.5).
 *
 * @throws Missing
 */
export async function fetchRecord(
  identity: Identity,
  { collection, rkey }: RecordAddress,
  context: CollectContext,
): Promise<Fetched> {
  const query = new URLSearchParams({ did: identity.did, collection, rkey });
  const response = await ask(
    "pds",
    {
      url: `${identity.pds}/xrpc/com.atproto.sync.getRecord?${query}`,
      accept: "application/vnd.ipld.car",
      maxBytes: MAX_PROOF,
      timeout: context.config.pdsTimeout,
      maxRedirects: 0,
      originMayBePrivate: false,
      purpose: "PDS",
    },
    context,
  );
  if (response.status === 200) return fetched(response, context);

  const error = errorName(response);
  if (error !== undefined && UNAVAILABLE.has(error)) {
    throw new Missing("pds.repo_unavailable", `${hostOf(response.url)} does not serve ${identity.did}: ${error}`);
  }
  badStatus("pds", response);
}

/** @param response attacker-controlled */
function errorName({ body }: HttpResponse): string | undefined {
  if (body.length > MAX_ERROR) return undefined;
  try {
    const json = parseJson(body, "pds.bad_response", "the PDS's answer");
    const error = isJsonObject(json) ? field(json, "error") : undefined;
    return typeof error === "string" ? error : undefined;
  } catch (error) {
    if (error instanceof Rejection) return undefined; // the status alone says it then
    throw error;
  }
}
