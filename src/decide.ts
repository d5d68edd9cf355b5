import { type Collected, Collector } from "./collect/collect.ts";
import type { CollectContext } from "./collect/context.ts";
import type { Rule, TrustPolicy } from "./policy/policy.ts";
import { select } from "./policy/select.ts";
import { verdictOf } from "./verify/by-policy.ts";
import type { Evidence, Gap, Pointer, SignatureEvidence, Subject } from "./verify/evidence.ts";
import { applyAction, judge } from "./verify/judge.ts";
import { attempt } from "./verify/prove.ts";
import type { Attempt, Verdict } from "./verify/verdict.ts";

/** The answer, and what it rests on. */
export interface Decision {
  readonly verdict: Verdict;
  readonly evidence: Evidence;
}

const NO_EVIDENCE: Evidence = { pointers: [], signatures: [], gaps: [] };

/**
 * Answers one pull: the policy selects a rule, evidence is gathered and each piece is proven and
 * judged as it arrives; the first time the rule is met is the answer, a refusal waits for all of it.
 *
 * @param selected is told the rule as soon as it is known
 */
export async function decide(
  subject: Subject,
  policy: TrustPolicy,
  context: CollectContext,
  selected?: (rule: Rule) => void,
): Promise<Decision> {
  const selection = select(policy, subject.name, subject.digest);
  if (selection.kind !== "judge") return { verdict: verdictOf(selection), evidence: NO_EVIDENCE };

  const { rule } = selection;
  selected?.(rule);
  const { atcrHosts } = context.config;
  const collector = new Collector(subject, rule, context);
  const found = new Findings();
  for (;;) {
    const collected = await collector.next();
    const finding = collected && found.add(subject, inTime(collected, context));
    // Only a signature can turn a refusal into an allow.
    if (collected !== undefined && collected.kind !== "signature") continue;
    const verdict = judge({ subject, rule, atcrHosts, now: context.now(), ...found.known() });
    if (verdict.outcome === "allow") return { verdict, evidence: found.evidence() };
    if (collected === undefined) return { verdict: applyAction(rule, verdict), evidence: found.evidence() };
    if (finding?.code === "commit.bad_signature") collector.refresh(finding.signer);
  }
}

/** A signature that waited until the time was over is not proven any more: that takes time too. */
function inTime(collected: Collected, { deadline }: CollectContext): Collected {
  if (collected.kind !== "signature" || deadline.remaining() > 0) return collected;
  const { signer } = collected.signature;
  const detail = `the time was over before the proof of ${signer} was looked at`;
  return { kind: "gap", gap: { service: "pds", signer, code: "net.deadline", detail } };
}

/** What has arrived, and what it proves. */
class Findings {
  readonly #attempts: Attempt[] = [];
  readonly #signatures: SignatureEvidence[] = [];
  readonly #pointers: Pointer[] = [];
  readonly #gaps: Gap[] = [];

  /** @returns what a signature failed by */
  add({ digest }: Subject, collected: Collected) {
    switch (collected.kind) {
      case "pointer":
        this.#pointers.push(collected.pointer);
        return undefined;
      case "gap":
        this.#gaps.push(collected.gap);
        return undefined;
      case "signature": {
        const proven = attempt(digest, collected.signature, collected.identity);
        this.#signatures.push(collected.signature);
        this.#attempts.push(proven);
        return "finding" in proven ? { signer: proven.signer, code: proven.finding.code } : undefined;
      }
    }
  }

  known() {
    return { attempts: this.#attempts, pointers: this.#pointers, gaps: this.#gaps };
  }

  evidence(): Evidence {
    return { pointers: this.#pointers, signatures: this.#signatures, gaps: this.#gaps };
  }
}
