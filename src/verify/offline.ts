import { type IdentityProof, identitySteps } from "../atproto/identity.ts";
import type { Steps } from "../atproto/plc-log.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { select } from "../policy/select.ts";
import { Rejection, reject } from "../rejection.ts";
import { atcrName } from "./atcr-name.ts";
import type { Bundle } from "./bundle.ts";
import { verdictOf } from "./by-policy.ts";
import type { SignatureEvidence, Subject } from "./evidence.ts";
import { applyAction, judge } from "./judge.ts";
import { attempt, soughtFor } from "./prove.ts";
import type { Attempt, Verdict } from "./verdict.ts";

/** A question, and all that is known about it. */
export interface SavedCase extends Subject {
  readonly policy: TrustPolicy;
  readonly bundle: Bundle;
  /** Hosts whose names are `HANDLE/repository` (spec 5.6). */
  readonly atcrHosts: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Judges saved evidence as a pull would judge it, without a network.
 *
 * @throws Rejection input.digest_mismatch where the evidence is about another digest
 */
export function judgeBundle(given: SavedCase): Verdict {
  const steps = bundleSteps(given);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** {@link judgeBundle} in steps of a few milliseconds, for a caller who looks at the clock in between. */
export function* bundleSteps({ policy, bundle, atcrHosts, now, ...subject }: SavedCase): Steps<Verdict> {
  const { digest } = subject;
  if (bundle.digest !== digest) {
    reject("input.digest_mismatch", `the evidence is about ${bundle.digest}, the image asked for is ${digest}`);
  }
  const selection = select(policy, subject.name, digest);
  if (selection.kind !== "judge") return verdictOf(selection);
  const { rule } = selection;
  const { signatures, ...evidence } = bundle.evidence;
  // As a pull: a proof of a tag that the rule does not ask about says nothing, its rev included.
  const tag = rule.requirement.tag === "match" ? subject.tag : undefined;
  const sought = soughtFor(subject, tag, atcrName(subject.name, atcrHosts));
  const attempts: Attempt[] = [];
  for (const signature of signatures) {
    attempts.push(attempt(sought, signature, yield* proofOf(signature)));
    yield;
  }
  return applyAction(rule, judge({ subject, rule, attempts, ...evidence, atcrHosts, now }));
}

/** Who signed, or why the log proves nothing. */
function* proofOf({ signer, identity }: SignatureEvidence): Steps<IdentityProof | Rejection> {
  try {
    return yield* identitySteps(signer, identity.bytes);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
