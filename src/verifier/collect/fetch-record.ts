import type { Identity } from "../../core/atproto/identity.ts";
import type { Fetched } from "../../core/evidence/evidence.ts";
import type { HttpResponse } from "../../io/net/exchange.ts";
import { quotePeer } from "../../io/net/quote-peer.ts";
import { ask, badStatus, type CollectContext, fetched, hostOf, UnavailableError } from "./context.ts";
import { itSays, readError } from "./peer-error.ts";

/** Cap on a proof (spec 4): real ones have a few kilobytes. */
const MAX_PROOF = 2 * 1024 * 1024;
/** Errors of com.atproto.sync.getRecord: the PDS does not serve this repo. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["RepoNotFound", "RepoDeactivated", "RepoTakendown", "RepoSuspended"]);
/** Errors that claim there is no such record; a PDS should prove that instead. */
const ABSENT: ReadonlySet<string> = new Set(["RecordNotFound", "NotFound"]);
/** First byte of a map of two entries in CBOR. */
const HEADER_MAP = 0xa2;
const TEXT = /^\s*(?:text\/html|application\/json)\b/i;

/** Where a record is in a repo. */
export interface RecordAddress {
  readonly collection: string;
  readonly rkey: string;
}

/**
 * Fetches the proof of the record, or of its absence, at an address in the signer's repo (spec 3.5).
 *
 * @throws UnavailableError
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
  if (response.status === 200 && !isText(response)) return fetched(response);

  const host = hostOf(response.url);
  const error = readError(response);
  if (UNAVAILABLE.has(error.name ?? "")) {
    throw new UnavailableError("pds.repo_unavailable", `${host} does not serve ${identity.did}${itSays(error)}`);
  }
  if (ABSENT.has(error.name ?? "")) {
    const unproven = "without the proof that com.atproto.sync.getRecord requires";
    const detail = `${host} answered with status ${response.status}${itSays(error)}, ${unproven}`;
    throw new UnavailableError("pds.bad_response", detail, { saysAbsent: true });
  }
  if (response.status !== 200) badStatus("pds", response, itSays(error));
  const type = response.headers.get("content-type") ?? "of no type";
  const detail = `${host} answered with text instead of a proof (CAR)${itSays(error) || quoteType(type)}`;
  throw new UnavailableError("pds.bad_response", detail);
}

/**
 * Whether an answer is an HTML page or JSON, by its first byte or its type; not if it starts like a CAR: a length of
 * one or two bytes, then the header's map.
 */
function isText({ body, headers }: HttpResponse): boolean {
  const [first, second, third] = body;
  if (second === HEADER_MAP || third === HEADER_MAP) return false;
  return first === 0x3c || first === 0x7b || TEXT.test(headers.get("content-type") ?? "");
}

function quoteType(type: string): string {
  return `: its type is ${quotePeer([type], [])}`;
}
