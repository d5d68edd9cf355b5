import { type IdentityProof, identitySteps } from "../atproto/identity.ts";
import type { Steps } from "../atproto/plc-log.ts";
import type { Evidence, SignatureEvidence } from "../evidence/evidence.ts";
import { Rejection } from "../rejection.ts";
import { judge } from "./judge.ts";
import { attempt } from "./prove.ts";
import type { Question } from "./question.ts";
import type { Attempt, Verdict } from "./verdict.ts";

/**
 * Judges saved evidence as a pull would, without the network: in steps of a few milliseconds, so that the caller can
 * check the clock in between.
 *
 * @param saved evidence for the digest in question
 * @param now milliseconds since 1970
 */
export function* savedSteps(question: Question, saved: Evidence, now: number): Steps<Verdict> {
  const { signatures, ...evidence } = saved;
  const attempts: Attempt[] = [];
  for (const signature of signatures) {
    attempts.push(attempt(question.target, signature, yield* proofOf(signature)));
    yield;
  }
  return judge({ ...question, attempts, ...evidence, now });
}

/** The signer's identity, or why the log is invalid. */
function* proofOf({ signer, identity }: SignatureEvidence): Steps<IdentityProof | Rejection> {
  try {
    return yield* identitySteps(signer, identity.bytes);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
