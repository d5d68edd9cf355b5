import { type Did, isPlc } from "../../core/atproto/syntax.ts";
import type { Fetched } from "../../core/evidence/evidence.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { Rejection } from "../../core/rejection.ts";
import { isFresh, isNewestKey, isVouched } from "../../core/verify/freshness.ts";
import { lostOperation, type SignerHistory } from "../../core/verify/signer-history.ts";
import type { CollectContext } from "./context.ts";
import { type FetchedIdentity, fetchIdentity } from "./fetch-identity.ts";
import { replayIdentity } from "./replay.ts";

/** Marks a cached identity; a refresh starts with the directory after this index, the first one. */
export const NO_DIRECTORY = -1;

/**
 * A signer's identity: cached within cacheTTL, also by another process and for another image; otherwise fetched, by
 * one process at a time (spec 3.4).
 *
 * @param digest of the image being verified
 * @param memory the signer history before the request
 * @throws UnavailableError
 */
export async function identify(
  signer: Did,
  digest: Digest,
  context: CollectContext,
  memory: SignerHistory,
): Promise<FetchedIdentity> {
  const { identities } = context;
  if (identities === undefined) return fetchIdentity(signer, context, memory);
  let looked: number | undefined;
  const find = async (): Promise<FetchedIdentity | undefined> => {
    const fetched = identities.find(signer);
    // An unusable identity is not replayed at every poll.
    if (fetched === undefined || fetched.fetchedAt === looked) return undefined;
    looked = fetched.fetchedAt;
    return freshIdentity(signer, fetched, context, memory);
  };
  const known = await find();
  if (known !== undefined) return known;
  return identities.oneAtATime(signer, find, async () => {
    const found = await fetchIdentity(signer, context, memory);
    const isUsable = found.proof !== undefined && !(found.proof.current instanceof Rejection);
    if (isUsable) {
      identities.replayed?.set(found.fetched, found.proof);
      await identities.keep(digest, signer, found.fetched);
    }
    return found;
  });
}

/** @returns undefined where it is too old, or behind the signer history */
async function freshIdentity(
  signer: Did,
  fetched: Fetched,
  context: CollectContext,
  memory: SignerHistory,
): Promise<FetchedIdentity | undefined> {
  const { config } = context;
  if (memory.unusable !== undefined) return undefined;
  if (!isVouched(signer, fetched.url, config.plcDirectories)) return undefined;
  if (!isFresh([fetched.fetchedAt], context.now(), config.cacheTTL)) return undefined;
  try {
    const replayed = context.identities?.replayed;
    const proof = replayed?.get(fetched) ?? (await replayIdentity(signer, fetched.bytes, context));
    replayed?.set(fetched, proof);
    const { current, history } = proof;
    if (current instanceof Rejection) return undefined;
    if (
      lostOperation(
        history?.map(({ cid }) => cid),
        memory,
      ) !== undefined
    )
      return undefined;
    if (!isPlc(signer) && !isNewestKey(current.key.didKey, memory)) return undefined;
    return { fetched, proven: proof, proof, directory: NO_DIRECTORY };
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}
