import type { IdentityProof } from "../atproto/identity.ts";
import type { Steps } from "../atproto/plc-log.ts";
import type { CheckedCommits } from "../atproto/record-proof.ts";
import type { Did } from "../atproto/syntax.ts";
import { type Gap, isUnanswered, type OwnerAnswer } from "../evidence/evidence.ts";
import { isWitnessed, type OutsideEvidence, type OutsideIdentity } from "../evidence/outside.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import { type JudgeInput, judge } from "./judge.ts";
import {
  describeAge,
  evidenceObjection,
  historyObjection,
  judgingHistory,
  type OutsideObjection,
  type ProvenTime,
  windowObjection,
  witnessOf,
} from "./outside-evidence.ts";
import { type IdentityProofs, judgingIdentity } from "./outside-identity.ts";
import { attempt } from "./prove.ts";
import { noesOf } from "./proven-no.ts";
import { addressOfPath, supersedes } from "./remembered-noes.ts";
import { NO_HISTORY, type SignerHistories, type SignerHistory } from "./signer-history.ts";
import type { Attempt, Verdict } from "./verdict.ts";

/** Evidence from outside for one image, and what this node compares it with. */
export interface OutsideGiven {
  /** Of signers that nothing else is known about; one signer may have several. */
  readonly pieces: readonly OutsideEvidence[];
  /** Further identities of a signer from outside: the newest that was imported, or those of a bundle's other images. */
  readonly identitiesOf: (signer: Did) => readonly OutsideIdentity[];
  /** The identity that this pull has fetched. */
  readonly fetchedOf: (signer: Did) => IdentityProof | undefined;
  /** The histories as they are now. */
  readonly memory: SignerHistories;
  readonly provenTime: ProvenTime;
  readonly proofs: IdentityProofs;
  readonly checked?: CheckedCommits;
  /** Why services did not answer, for the reason; absent where nobody was asked. */
  readonly because?: string;
}

/** What the evidence of one signer from outside comes to. */
interface Admitted {
  readonly attempts: readonly Attempt[];
  readonly memory: SignerHistory;
  readonly counting: readonly OutsideEvidence[];
}

/**
 * Judges an image by what is known of it and by evidence from outside, in steps of a few milliseconds.
 *
 * @param given what this pull has gathered; a gap of a signer with evidence from outside is left out
 */
export function* judgeOutsideSteps(given: JudgeInput, outside: OutsideGiven): Steps<Verdict> {
  const bySigner = Map.groupBy(outside.pieces, ({ signature }) => signature.signer);
  const attempts = [...given.attempts];
  const memory = new Map(given.memory);
  const counting: OutsideEvidence[] = [];
  for (const signer of given.rule.requirement.signers) {
    const pieces = bySigner.get(signer.did);
    if (pieces === undefined) continue;
    const admitted = yield* admit(signer, pieces, given, outside);
    attempts.push(...admitted.attempts);
    memory.set(signer.did, admitted.memory);
    counting.push(...admitted.counting);
  }
  const { owner, gaps } = ownerOf(given, outside);
  const note = noteOf(counting, given.now, outside.because);
  return judge({
    ...given,
    attempts,
    memory,
    gaps: gaps.filter(({ signer }) => signer === undefined || !bySigner.has(signer)),
    ...(owner && { owner }),
    ...(note && { cached: { at: Math.min(...counting.map((piece) => witnessOf(piece).at)), note } }),
  });
}

function* admit(
  signer: TrustedSigner,
  pieces: readonly OutsideEvidence[],
  { rule, target, now }: JudgeInput,
  { identitiesOf, fetchedOf, memory, provenTime, proofs, checked }: OutsideGiven,
): Steps<Admitted> {
  const { did } = signer;
  const known = memory.get(did) ?? NO_HISTORY;
  const unusable = historyObjection(signer, known);
  if (unusable !== undefined) return { attempts: [refused(did, unusable)], memory: known, counting: [] };
  const own = pieces.map(({ signature: { identity }, witness }) => ({ identity, witness }));
  const identity = yield* judgingIdentity(signer, [...own, ...identitiesOf(did)], fetchedOf(did), proofs);
  const proven: { piece: OutsideEvidence; proof: Attempt }[] = [];
  for (const piece of pieces) {
    proven.push({ piece, proof: attempt(target, piece.signature, identity.proof, checked) });
    yield;
  }
  // One answer may prove that another one is outdated.
  const noes = new Map(known.noes);
  for (const { piece, proof } of proven) {
    // In a file, a proof that ends early may be another record's.
    const isUnfinished = "finding" in proof && proof.finding.code === "mst.incomplete_proof";
    for (const { path, ...no } of isUnfinished ? [] : noesOf(piece.signature, proof, target)) {
      const address = addressOfPath(path);
      if (supersedes(no, noes.get(address))) noes.set(address, no);
    }
  }
  const compared = { ...known, noes };
  const attempts = proven.map(({ piece, proof }): Attempt => {
    // What is out of its window says nothing, also not that the signer went back.
    const expired = windowObjection(rule, dated(piece), now, provenTime);
    if (expired !== undefined) return refused(did, expired);
    const objection = evidenceObjection(proof, piece, identity, target, compared);
    return objection === undefined ? proof : { ...refused(did, objection), ...observed(proof) };
  });
  const counting = proven.filter((_, i) => "facts" in (attempts[i] ?? {})).map(({ piece }) => piece);
  const witnesses = counting.map(witnessOf);
  return { attempts, memory: judgingHistory(compared, identity.operations, witnesses, attempts), counting };
}

function dated(piece: OutsideEvidence): Pick<OutsideEvidence, "witness" | "gatheredAt"> {
  return { witness: witnessOf(piece), gatheredAt: piece.gatheredAt };
}

function refused(signer: Did, objection: OutsideObjection): Extract<Attempt, { finding: unknown }> {
  return { signer, finding: { signer, ...objection } };
}

function observed({ observation }: Attempt): Pick<Attempt, "observation"> {
  return observation === undefined ? {} : { observation };
}

/**
 * The owner of the handle in the name: where its services were silent, the newest answer from outside that somebody
 * answers for. An owner proves nothing by itself.
 */
function ownerOf(
  given: JudgeInput,
  { pieces, provenTime }: OutsideGiven,
): { readonly owner?: OwnerAnswer | undefined; readonly gaps: readonly Gap[] } {
  const { asksOwner, atcr, owner, gaps, rule, now } = given;
  const missing = gaps.filter(({ service }) => service === "handle");
  if (!asksOwner || owner !== undefined || !missing.every(isUnanswered)) return { owner, gaps };
  const offered = pieces
    .filter((piece) => piece.owner?.handle === atcr?.handle)
    .filter(({ owner, ...piece }) => {
      const at = Math.min(witnessOf(piece).at, owner?.fetchedAt ?? 0);
      return windowObjection(rule, { ...piece, witness: { ...piece.witness, at } }, now, provenTime) === undefined;
    });
  const [newest] = offered
    .filter(({ witness }) => isWitnessed(witness))
    .toSorted((a, b) => b.witness.at - a.witness.at);
  if (newest?.owner !== undefined) return { owner: newest.owner, gaps };
  if (offered.length === 0 || missing.length > 0) return { gaps };
  const detail = `whose handle ${atcr?.handle} is, is known only from an unsealed bundle, which is neither sealed by a key of bundleKeys nor imported`;
  return { gaps: [...gaps, { service: "handle", code: "handle.unreachable", detail }] };
}

/** The reason of an allow says that evidence from outside was used, who answers for it, and how old it is. */
function noteOf(counting: readonly OutsideEvidence[], now: number, because: string | undefined): string | undefined {
  if (counting.length === 0) return undefined;
  const witnesses = [...new Set(counting.map((piece) => describeAge(witnessOf(piece), now)))].join("; ");
  const why = because === undefined ? "" : `, because a service could not be reached: ${because}`;
  return `by evidence from ${witnesses}${why}`;
}
