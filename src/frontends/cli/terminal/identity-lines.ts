import { claimedHandle } from "../../../core/atproto/handle.ts";
import type { Identity, IdentityProof } from "../../../core/atproto/identity.ts";
import { type KeyPeriod, keyPeriods, undoneKeys } from "../../../core/atproto/key-history.ts";
import { didWebHost, isPlc } from "../../../core/atproto/syntax.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { Rejection } from "../../../core/rejection.ts";
import type { HandleFound } from "../../../verifier/service/look-up-identity.ts";

/** What vouches for an identity, and what is only claimed of it. */
export function howVerified({ did, history }: IdentityProof): readonly string[] {
  if (!isPlc(did)) {
    const host = didWebHost(did);
    return [
      `the document's id; only TLS vouches that it comes from ${host}`,
      "a did:web has no history: control of the host is control of the identity",
    ];
  }
  const count = history?.length ?? 0;
  return [
    `the log's ${count === 1 ? "1 operation" : `${count} operations`} replayed: the first hashes to the DID, each is signed by a rotation key in place before it`,
    "claimed by the directory, not verified: every date, and that there is nothing newer",
  ];
}

/** Whether it is the handle that counts among those an identity claims. */
export function claims({ handles }: Identity, handle: string): boolean {
  return claimedHandle(handles) === handle;
}

/** Whether the handle resolves to the DID and the DID claims the handle; undefined if that could not be found out. */
export function bothWays(handle: HandleFound, { did, current }: IdentityProof): boolean | undefined {
  if ("missing" in handle) return undefined;
  return handle.did === did && !(current instanceof Rejection) && claims(current, handle.handle);
}

export function handleJson(handle: HandleFound, proof: IdentityProof) {
  const { handle: name, ...answer } = handle;
  const both = bothWays(handle, proof);
  if ("missing" in answer) return { handle: name, missing: answer.missing };
  return { handle: name, leadsTo: answer.did ?? null, source: answer.source, bothWays: both };
}

export function describeHandle(handle: HandleFound, proof: IdentityProof): string {
  if ("missing" in handle) return `${handle.handle} could not be resolved: ${handle.missing}`;
  const leads = `${handle.handle} resolves to ${handle.did ?? "no DID"} (${handle.source})`;
  return bothWays(handle, proof) === true
    ? `${leads}, which claims it: verified`
    : `${leads}: NOT the handle of this identity`;
}

/** The keys that have signed the repo, with the dates that the directory claims; none for a did:web, which has no history. */
export function keysJson({ history = [] }: IdentityProof) {
  return {
    keys: keyPeriods(history).map(({ key, since, until }) => ({
      key: key ?? null,
      since: formatDateTime(since),
      ...(until !== undefined && { until: formatDateTime(until) }),
    })),
    undoneKeys: undoneKeys(history),
  };
}

/** The same for people, newest first: the current key matters most. */
export function describeKeys({ history = [] }: IdentityProof): readonly string[] {
  return [
    ...keyPeriods(history).map(describePeriod).reverse(),
    ...undoneKeys(history).map((key) => `never in force, undone by a more powerful rotation key: ${key}`),
  ];
}

function describePeriod({ key, since, until }: KeyPeriod): string {
  const from = formatDateTime(since);
  const when = until === undefined ? `since ${from}` : `${from} to ${formatDateTime(until)}`;
  return `${when}: ${key ?? "no key"}`;
}
