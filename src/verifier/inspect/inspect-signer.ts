import type { Identity, IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { Fetched, Gap } from "../../core/evidence/evidence.ts";
import { recordAddress, tagRecordAddress } from "../../core/evidence/record-path.ts";
import {
  type ShownRecord,
  type ShownTag,
  showRecord,
  showTag,
  type UnprovenRecord,
} from "../../core/evidence/shown-record.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { Rejection } from "../../core/rejection.ts";
import { assertTimeLeft, type CollectContext, gapOf } from "../collect/context.ts";
import { fetchIdentity } from "../collect/fetch-identity.ts";
import { fetchRecord } from "../collect/fetch-record.ts";
import { claimedOwner, type HandleFound } from "../service/look-up-identity.ts";

/** What is looked for in a signer's repo. */
export interface Sought {
  /** Absent where the tag could not be resolved: then the signer's own record of the tag says it. */
  readonly digest?: Digest;
  readonly tag?: string;
  /** The tag's repository, if the image's name determines it; else that of the digest's record. */
  readonly repository?: string;
}

/** What was found about one signer. */
export interface SignerFound {
  readonly identity?: { readonly fetched: Fetched; readonly proof: IdentityProof };
  /** The owner of the handle that the identity claims. */
  readonly handle?: HandleFound;
  readonly record?: ShownRecord | UnprovenRecord;
  readonly tag?: ShownTag | UnprovenRecord;
  /** Answers that are missing or cannot be used. */
  readonly gaps: readonly Gap[];
}

/**
 * Fetches a signer's identity, and at once the owner of the handle that it claims and the records from the PDS that it names.
 * A failure is part of the result.
 *
 * @param sought may arrive after the identity
 */
export async function inspectSigner(did: Did, sought: Promise<Sought>, context: CollectContext): Promise<SignerFound> {
  const gaps: Gap[] = [];
  const missing = (service: Gap["service"], error: unknown): undefined => {
    gaps.push(gapOf(service, error, did));
    return undefined;
  };
  const found = await fetchIdentity(did, context).catch((error: unknown) => missing("identity", error));
  if (found === undefined) return { gaps };
  const { fetched, proven } = found;
  if (proven instanceof Rejection) {
    missing("identity", proven);
    return { gaps };
  }
  const identity = { fetched, proof: proven };
  const { current } = proven;
  if (current instanceof Rejection) return { identity, gaps };
  const [handle, records] = await Promise.all([
    claimedOwner(current, context),
    sought.then((wanted) => recordsOf(current, wanted, context, (error) => missing("pds", error))),
  ]);
  return { identity, ...(handle && { handle }), ...records, gaps };
}

/** The digest's record and the tag's: together where both addresses are known, else one after the other. */
async function recordsOf(
  identity: Identity,
  { digest, tag, repository }: Sought,
  context: CollectContext,
  missing: (error: unknown) => undefined,
): Promise<Pick<SignerFound, "record" | "tag">> {
  const recordFor = (wanted: Digest) =>
    proven(identity, recordAddress(wanted), context, (bytes) => showRecord(identity, bytes, wanted)).catch(missing);
  const tagOf = async (where: string | undefined) =>
    tag === undefined || where === undefined
      ? undefined
      : proven(identity, tagRecordAddress(where, tag), context, (bytes) => showTag(identity, bytes, where, tag)).catch(
          missing,
        );

  if (digest === undefined) {
    const shown = await tagOf(repository);
    const named = shown !== undefined && "names" in shown ? shown.names : undefined;
    return both(named && (await recordFor(named)), shown);
  }
  if (repository !== undefined) return both(...(await Promise.all([recordFor(digest), tagOf(repository)])));
  const record = await recordFor(digest);
  const claim = record !== undefined && "claim" in record ? record.claim : undefined;
  return both(record, await tagOf(claim?.repository));
}

function both(
  record: SignerFound["record"] | undefined,
  tag: SignerFound["tag"] | undefined,
): Pick<SignerFound, "record" | "tag"> {
  return { ...(record && { record }), ...(tag && { tag }) };
}

/** @throws UnavailableError */
async function proven<T>(
  identity: Identity,
  address: Parameters<typeof fetchRecord>[1],
  context: CollectContext,
  prove: (bytes: Uint8Array) => T,
): Promise<T> {
  const { bytes } = await fetchRecord(identity, address, context);
  assertTimeLeft(`the proof of ${identity.did}`, context);
  return prove(bytes);
}
