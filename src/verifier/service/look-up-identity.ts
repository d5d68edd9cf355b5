import { claimedHandle, type Handle } from "../../core/atproto/handle.ts";
import { type IdentityProof, readIdentity } from "../../core/atproto/identity.ts";
import { type Did, isDid } from "../../core/atproto/syntax.ts";
import type { Fetched, OwnerAnswer } from "../../core/evidence/evidence.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import { findRollback, type Rollback, type SignerHistory } from "../../core/verify/signer-history.ts";
import { answered, type CollectContext, UnavailableError } from "../collect/context.ts";
import { fetchIdentity } from "../collect/fetch-identity.ts";

/** The owner of a handle, or why it is not known. */
export type HandleFound = OwnerAnswer | { readonly handle: string; readonly missing: string };

/** The result of an identity lookup. */
export interface IdentityFound {
  /** What the user typed: a DID or a handle. */
  readonly asked: string;
  readonly fetched: Fetched;
  readonly proof: IdentityProof;
  readonly handle?: HandleFound;
  readonly memory: SignerHistory;
  /** Set where the identity is behind the signer history. */
  readonly rolledBack?: Rollback;
  /** Milliseconds since 1970. */
  readonly now: number;
}
/**
 * Looks up a DID, or the DID of a handle, without the cache: at the directories or the host, and by the handle that it
 * claims.
 *
 * @throws Rejection where something could not be fetched, or is invalid
 */
export async function lookUpIdentity(asked: Did | Handle, context: CollectContext): Promise<IdentityFound> {
  const owner = isDid(asked) ? undefined : await answered(ownerOf(asked, context));
  const did = isDid(asked) ? asked : owner?.did;
  if (did === undefined) {
    return reject(
      "image.owner_mismatch",
      `the handle ${asked} has no owner: neither DNS nor ${owner?.source} names a DID`,
    );
  }

  const memory = await context.loadHistory(did);
  const { fetched } = await answered(fetchIdentity(did, context, memory));
  const proof = readIdentity(did, fetched.bytes);
  const operations = proof.history?.map(({ cid }) => cid);
  const rolledBack = findRollback({ signer: did, revs: [], ...(operations && { operations }) }, memory);
  const handle = owner ?? (proof.current instanceof Rejection ? undefined : await claimedOwner(proof.current, context));
  return {
    asked,
    fetched,
    proof,
    memory,
    now: context.now(),
    ...(rolledBack && { rolledBack }),
    ...(handle && { handle }),
  };
}

/** The owner of the handle that an identity claims, if it claims one. */
export async function claimedOwner(
  { handles }: { readonly handles: readonly string[] },
  context: CollectContext,
): Promise<HandleFound | undefined> {
  const handle = claimedHandle(handles);
  return handle === undefined ? undefined : findOwner(handle, context);
}

/** The owner of a handle; a failed lookup is part of the result. */
export async function findOwner(handle: Handle, context: CollectContext): Promise<HandleFound> {
  try {
    return await ownerOf(handle, context);
  } catch (error) {
    if (error instanceof UnavailableError) return { handle, missing: `${error.code}: ${error.message}` };
    throw error;
  }
}

async function ownerOf(handle: Handle, context: CollectContext): Promise<OwnerAnswer> {
  const { fetchOwner } = await import("../collect/resolve-handle.ts");
  return fetchOwner(handle, context);
}
