import { claimedHandle } from "../../../core/atproto/handle.ts";
import type { ShownRecord, UnprovenRecord } from "../../../core/evidence/shown-record.ts";
import { Rejection } from "../../../core/rejection.ts";
import type { ClaimSource, InspectedSigner } from "../../../verifier/inspect/inspect-image.ts";
import { bothWays } from "../terminal/identity-lines.ts";

/**
 * What is known of one claimed signer's record of the digest. None of these is a verdict: anyone can sign any image.
 *
 * - `signed`: the record is proven, and well-formed;
 * - `unusable`: the record is proven, but a pull would reject it whatever the policy;
 * - `not signed`: proven that there is no such record;
 * - `unknown`: an answer is missing, or a proof failed.
 */
export type SignerState = "signed" | "unusable" | "not signed" | "unknown";

export function stateOf({ found }: InspectedSigner): SignerState {
  const record = found?.record;
  if (record === undefined || !isProven(record)) return "unknown";
  if (record.cid === undefined) return "not signed";
  return record.objection === undefined ? "signed" : "unusable";
}

export function isProven<T extends ShownRecord>(record: T | UnprovenRecord): record is T {
  return "commit" in record;
}

/** Why a signer's state is not `signed`, as `code: sentence`; the first reason counts. */
export function reasonsOf({ found }: InspectedSigner): readonly string[] {
  if (found === undefined) return ["net.deadline: the time was over before all answers had arrived"];
  const { identity, record, tag, gaps } = found;
  const current = identity?.proof.current;
  const records = [record, tag].flatMap((one) => {
    if (one === undefined) return [];
    return isProven(one) ? (one.objection ?? []) : one;
  });
  return [
    ...(current instanceof Rejection ? [`${current.code}: ${current.message}`] : []),
    ...records.map(({ code, detail }) => `${code}: ${detail}`),
    ...gaps.map(({ code, detail }) => `${code}: ${detail}`),
  ];
}

/** `@alice.example.com` if verified in both directions; else the DID and the handle that it claims. */
export function nameOf({ did, found }: InspectedSigner): string {
  if (found?.identity === undefined) return did;
  const { proof } = found.identity;
  const handle = proof.current instanceof Rejection ? undefined : claimedHandle(proof.current.handles);
  if (handle === undefined) return did;
  const isConfirmed = found.handle !== undefined && bothWays(found.handle, proof) === true;
  return isConfirmed ? `@${handle}` : `claims @${handle}, not confirmed`;
}

/** The DID, and the name where there is one. */
export function titleOf(signer: InspectedSigner): string {
  const name = nameOf(signer);
  return name === signer.did ? name : `${signer.did}, ${name}`;
}

/** Why this signer was asked. */
export function sourceText(source: ClaimSource): string {
  switch (source.kind) {
    case "owner":
      return `owner of ${source.handle}, the handle in the name`;
    case "given":
      return `given as --signer ${source.text}`;
    case "referrer":
      return `named by ${source.url}${source.note === undefined ? "" : `, which ${source.note}`}`;
  }
}

/** The same in few words. */
export function shortSource({ sources: [first] }: InspectedSigner): string {
  switch (first?.kind) {
    case "owner":
      return "owner of the handle in the name";
    case "given":
      return "given by --signer";
    case "referrer":
    case undefined:
      return "named by the registry";
  }
}
