import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { OutsideEvidence, OutsideIdentity, OutsideStore } from "../../core/evidence/outside.ts";
import { tagRecordPath } from "../../core/evidence/record-path.ts";
import type { SealedEvidence } from "../../core/evidence/sealed-evidence.ts";
import type { JudgeInput } from "../../core/verify/judge.ts";
import { judgeOutsideSteps } from "../../core/verify/judge-outside.ts";
import type { ProvenTime } from "../../core/verify/outside-evidence.ts";
import type { SignerHistory } from "../../core/verify/signer-history.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import { UnavailableError } from "../collect/context.ts";
import { inSteps } from "../collect/replay.ts";

/** What evidence from outside is asked for, and what it is compared with. */
export interface OutsideQuestion {
  /** Signers that nothing is known about: no answer of theirs is ever replaced. */
  readonly signers: readonly Did[];
  /** What was imported; absent where this node has nothing. */
  readonly store: OutsideStore | undefined;
  /** What is attached to the image; absent where nothing was asked for. */
  readonly attached?: readonly SealedEvidence[];
  /** Loads the current signer history (spec 5.7). */
  readonly loadHistory: (signer: Did) => Promise<SignerHistory>;
  readonly provenTime: () => ProvenTime;
  /** A signer's identity as fetched in this pull. */
  readonly identityOf?: (signer: Did) => IdentityProof | undefined;
  /** Why services did not answer; absent where nobody was asked. */
  readonly because?: string;
  readonly deadline: Deadline;
}

/** A verdict, and the evidence from outside that it is about. */
export interface OutsideAnswer {
  readonly verdict: Verdict;
  readonly pieces: readonly OutsideEvidence[];
}

/**
 * Finds a signer's evidence, with that of the tag where it is needed. Outside atcrHosts the record says in which
 * repository the tag is, and that is the path of the image or ends it (spec 5.6).
 */
function imported(
  { subject, target, rule }: JudgeInput,
  signer: Did,
  store: OutsideStore,
): OutsideEvidence | undefined {
  const { digest } = subject;
  const { tag } = target;
  const first = store.find(digest, signer);
  if (first === undefined || tag === undefined) return first;
  const { repository: allowed } = rule.requirement;
  const named = subject.name.path.split("/").map((_, i, all) => all.slice(i).join("/"));
  const possible = typeof allowed === "string" ? named : allowed;
  const repositories = target.repository === undefined ? possible : [target.repository];
  for (const repository of repositories) {
    const path = tagRecordPath(repository, tag);
    const piece = store.find(digest, signer, path);
    if (piece?.tag === path) return piece;
  }
  return first;
}

/**
 * Judges again, adding evidence from outside of signers that nothing is known about (docs/reference/bundles.md). Policy, time,
 * signer history and identities are the current ones.
 *
 * @returns undefined where there is none, or no time left to judge it
 */
export async function judgeWithOutsideEvidence(
  given: JudgeInput,
  { signers, store, attached = [], loadHistory, provenTime, identityOf, because, deadline }: OutsideQuestion,
): Promise<OutsideAnswer | undefined> {
  const pieces = signers.flatMap((did) => [
    ...listOf(store && imported(given, did, store)),
    ...attached.flatMap((one) => one.pieces.filter(({ signature }) => signature.signer === did)),
  ]);
  if (pieces.length === 0) return undefined;
  const memory = new Map<Did, SignerHistory>();
  const newest = new Map<Did, readonly OutsideIdentity[]>();
  for (const { signature } of pieces) {
    const { signer } = signature;
    const history = await loadHistory(signer);
    const log = store?.newestLog(signer);
    // It may say that a key was replaced or an identity closed, like a history that cannot be read.
    const isUnusable = log !== undefined && "unusable" in log;
    memory.set(signer, isUnusable ? { unusable: log.unusable, ...history } : history);
    newest.set(signer, isUnusable || log === undefined ? [] : [log]);
  }
  const steps = judgeOutsideSteps(given, {
    pieces,
    identitiesOf: (did) => [...(newest.get(did) ?? []), ...attached.flatMap((one) => one.identitiesOf(did))],
    fetchedOf: (did) => identityOf?.(did),
    memory,
    provenTime: provenTime(),
    proofs: new Map(),
    ...(because !== undefined && { because }),
  });
  try {
    return { verdict: await inSteps(steps, "all evidence from bundles", { deadline }), pieces };
  } catch (error) {
    if (error instanceof UnavailableError) return undefined;
    throw error;
  }
}

function listOf<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
