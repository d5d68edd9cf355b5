import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { SignatureEvidence } from "../../core/evidence/evidence.ts";
import { tagRecordPath } from "../../core/evidence/record-path.ts";
import { Rejection } from "../../core/rejection.ts";
import { attempt, type ProofTarget } from "../../core/verify/prove.ts";
import type { Attempt } from "../../core/verify/verdict.ts";
import type { CachedEvidence } from "../../io/store/evidence-files.ts";
import { type AskContext, UnavailableError } from "../collect/context.ts";
import { replayIdentity } from "../collect/replay.ts";
import type { ProvenTags } from "./proven-tags.ts";
import type { SharedStores } from "./stores.ts";

type Cache = Pick<SharedStores["cache"], "findTag" | "isInvalidated">;

/** The time for it, and what needs no second proof. */
export interface ReplayContext extends Pick<AskContext, "deadline" | "checkedCommits" | "proofs"> {
  readonly provenTags?: ProvenTags;
}

/**
 * Proves cached evidence, together with the cached tag record where the target has a tag. The two are cached
 * separately, each the newest answer.
 *
 * @param proof the signer's identity as fetched in this pull; without it the cached log is replayed, in steps
 * @returns undefined where a later answer invalidated it, or where the time runs out first
 */
export async function proveCached(
  known: CachedEvidence,
  signer: Did,
  sought: ProofTarget,
  cache: Cache,
  shared: ReplayContext,
  proof?: IdentityProof,
): Promise<{ readonly signature: SignatureEvidence; readonly attempt: Attempt } | undefined> {
  const untagged = known.signature();
  const identity = proof ?? (await replayed(signer, untagged.identity.bytes, shared));
  if (identity === undefined) return undefined;
  const signature = withTag(untagged, known.proven, signer, sought, cache, identity);
  const prove = (): Attempt => attempt(sought, signature, identity, shared.checkedCommits);
  const proven = (proof === undefined && shared.provenTags?.of(signature, sought, prove)) || prove();
  return "facts" in proven && cache.isInvalidated(proven.facts) ? undefined : { signature, attempt: proven };
}

/** @returns undefined where the time runs out before the log is replayed */
async function replayed(
  signer: Did,
  bytes: Uint8Array,
  shared: ReplayContext,
): Promise<IdentityProof | Rejection | undefined> {
  try {
    return await replayIdentity(signer, bytes, shared);
  } catch (error) {
    if (error instanceof UnavailableError) return undefined;
    if (error instanceof Rejection) return error;
    throw error;
  }
}

function withTag(
  signature: SignatureEvidence,
  proven: CachedEvidence["proven"],
  signer: Did,
  sought: ProofTarget,
  cache: Cache,
  identity: IdentityProof | Rejection,
): SignatureEvidence {
  if (sought.tag === undefined) return signature;
  const repository =
    sought.repository ?? repositoryOf(proven ?? attempt({ digest: sought.digest }, signature, identity));
  const tag = repository && cache.findTag(signer, tagRecordPath(repository, sought.tag));
  return { ...signature, ...(tag && { tag }) };
}

function repositoryOf(known: ReturnType<typeof attempt>): string | undefined {
  return "facts" in known ? known.facts.claim.repository : undefined;
}
