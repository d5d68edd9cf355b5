import { type IdentityProof, identitySteps } from "../atproto/identity.ts";
import type { Steps } from "../atproto/plc-log.ts";
import { type Did, isPlc } from "../atproto/syntax.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { isWitnessed, type OutsideIdentity } from "../evidence/outside.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import { Rejection } from "../rejection.ts";

/** The identity by which all evidence from outside of a signer is judged. */
export interface JudgingIdentity {
  /** Or why there is none. */
  readonly proof: IdentityProof | Rejection;
  /** Operations of every log at hand: the one that judges must not lack any. */
  readonly operations: ReadonlySet<string>;
  /**
   * Of a did:web: when the document was in place, as somebody answers for it; milliseconds since 1970. A key that this
   * node has seen first after that is newer.
   */
  readonly documentAt: number;
}

/** What identities prove, so that a bundle of many images has each log replayed once. */
export type IdentityProofs = Map<string, IdentityProof | Rejection>;

const NO_OPERATIONS: ReadonlySet<string> = new Set();

/**
 * Chooses among the identities at hand: of a did:plc the log with the most operations; of a did:web the newest document
 * that counts. A log proves itself; a document proves nothing, so it counts only where this pull fetched it, where
 * somebody answers for it, or where the policy pins the key.
 *
 * @param offered in any order; the same bytes are proven once
 * @param fetched in this pull
 * @param proofs of identities, by signer and bytes; those of this one are added
 */
export function* judgingIdentity(
  { did, keys }: TrustedSigner,
  offered: readonly OutsideIdentity[],
  fetched: IdentityProof | undefined,
  proofs: IdentityProofs,
): Steps<JudgingIdentity> {
  if (!isPlc(did)) {
    if (fetched !== undefined) {
      return { proof: fetched, operations: NO_OPERATIONS, documentAt: Number.POSITIVE_INFINITY };
    }
    const counting = offered.filter(({ witness }) => keys !== undefined || isWitnessed(witness));
    const newest = counting.toSorted((a, b) => timeOf(a) - timeOf(b)).at(-1);
    if (newest === undefined) return { proof: unvouched(did), operations: NO_OPERATIONS, documentAt: 0 };
    const documentAt = isWitnessed(newest.witness) ? timeOf(newest) : 0;
    return { proof: yield* proofOf(did, newest, proofs), operations: NO_OPERATIONS, documentAt };
  }
  const logs: IdentityProof[] = fetched === undefined ? [] : [fetched];
  let invalid: Rejection | undefined;
  for (const one of offered) {
    const proof = yield* proofOf(did, one, proofs);
    if (proof instanceof Rejection) invalid ??= proof;
    else if (!logs.includes(proof)) logs.push(proof);
  }
  const operations = new Set(logs.flatMap((proof) => cidsOf(proof)));
  const [longest] = logs.toSorted((a, b) => cidsOf(b).length - cidsOf(a).length);
  const missing = new Rejection("identity.unreachable", `there is no log of ${did}`);
  return { proof: longest ?? invalid ?? missing, operations, documentAt: 0 };
}

function cidsOf({ history = [] }: IdentityProof): readonly string[] {
  return history.map(({ cid }) => cid);
}

function* proofOf(
  did: Did,
  { identity: { bytes } }: OutsideIdentity,
  proofs: IdentityProofs,
): Steps<IdentityProof | Rejection> {
  const key = `${did} ${sha256Hex(bytes)}`;
  const known = proofs.get(key);
  if (known !== undefined) return known;
  let proof: IdentityProof | Rejection;
  try {
    proof = yield* identitySteps(did, bytes);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    proof = error;
  }
  proofs.set(key, proof);
  return proof;
}

/** Of one bundle all have the same witness: there the document's own time decides. */
function timeOf({ identity, witness }: OutsideIdentity): number {
  return Math.min(witness.at, identity.fetchedAt);
}

function unvouched(did: Did): Rejection {
  const why =
    "its document proves nothing by itself, and the bundle is neither sealed by a key of bundleKeys nor imported";
  return new Rejection("identity.unreachable", `the identity of ${did} is known only from an unsealed bundle: ${why}`);
}
