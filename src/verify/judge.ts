import type { Did } from "../atproto/syntax.ts";
import type { Rule, TrustedSigner } from "../policy/policy.ts";
import { REJECTIONS, Rejection, type RejectionCode } from "../rejection.ts";
import { checkFacts } from "./check-facts.ts";
import { distinctSignatures } from "./distinct.ts";
import { ineligible } from "./eligibility.ts";
import type { Gap, Pointer, Subject } from "./evidence.ts";
import { demote, furthestFirst, untrusted, withNote } from "./headline.ts";
import type { Attempt, Finding, SignatureFacts, Verdict } from "./verdict.ts";

/** Everything one judgement looks at. It has no clock: `now` is milliseconds since 1970. */
export interface Case {
  readonly subject: Subject;
  readonly rule: Rule;
  readonly attempts: readonly Attempt[];
  readonly pointers: readonly Pointer[];
  readonly gaps: readonly Gap[];
  /** Hosts whose names are `HANDLE/repository` (spec 5.6). */
  readonly atcrHosts: readonly string[];
  readonly now: number;
}

/** Where one trusted signer stands. */
type Standing =
  | { readonly kind: "counts"; readonly offered: readonly SignatureFacts[] }
  | { readonly kind: "refused"; readonly finding: Finding } // no, whatever else could still be learned
  | { readonly kind: "open"; readonly finding: Finding }; // could still turn out to count

/**
 * Holds what is known against a rule (spec 5.2, 5.6, 5.7 and 6). Signatures count once per signer
 * and once per key, in whatever order they come. A refusal is inconclusive only where what is
 * missing could still meet the rule.
 */
export function judge(given: Case): Verdict {
  const { rule, now } = given;
  const { signers, minSignatures } = rule.requirement;
  const standings = signers.map((signer) => standingOf(signer, given));
  const offered = standings.flatMap((standing) => (standing.kind === "counts" ? [standing.offered] : []));
  const open = standings.flatMap((standing) => (standing.kind === "open" ? [standing.finding] : []));
  const refused = standings.flatMap((standing) => (standing.kind === "refused" ? [standing.finding] : []));
  const signatures = distinctSignatures(offered);
  const counted = signatures.length;

  if (counted >= minSignatures) {
    return { outcome: "allow", because: { kind: "signed", rule: rule.name, signatures } };
  }
  const nobodyEligible = signers.every((signer) => ineligible(signer, now) !== undefined);
  const denials = [...untrusted(given), ...refused]
    .map((finding) => demote(finding, given, nobodyEligible))
    .map((finding) => withNote(finding, given));
  const outcome = counted + open.length >= minSignatures ? "inconclusive" : "deny";
  // That the registry could not be asked may not matter to the outcome; whoever reads it should know.
  const registry = given.gaps.filter((gap) => gap.signer === undefined).map(gapFinding);
  const untold = registry.filter(({ detail }) => !open.some((finding) => finding.detail === detail));
  const findings = furthestFirst([...denials, ...open, ...untold]);
  const headline = furthestFirst(outcome === "deny" ? denials : open)[0];
  if (counted > 0 || headline === undefined) {
    const detail = `${counted} of ${minSignatures} signatures count under rule "${rule.name}"`;
    return { outcome, code: "policy.too_few_signatures", detail, findings };
  }
  return { outcome, code: headline.code, detail: headline.detail, findings };
}

/** `audit` allows what the rule would refuse, whatever the reason (spec 6). */
export function applyAction(rule: Rule, verdict: Verdict): Verdict {
  if (rule.action === "enforce" || verdict.outcome === "allow") return verdict;
  return { outcome: "allow", because: { kind: "audited", rule: rule.name, would: verdict } };
}

function standingOf(signer: TrustedSigner, given: Case): Standing {
  const excluded = ineligible(signer, given.now);
  if (excluded) return { kind: "refused", finding: excluded };

  const findings: Finding[] = [];
  const offered: SignatureFacts[] = [];
  for (const attempt of given.attempts) {
    if (signerOf(attempt) !== signer.did) continue;
    if ("finding" in attempt) {
      findings.push(attempt.finding);
      continue;
    }
    const finding = mismatch(attempt.facts, signer, given);
    if (finding === undefined) offered.push(attempt.facts);
    else findings.push(finding);
  }
  if (offered.length > 0) return { kind: "counts", offered };
  findings.push(...given.gaps.filter((gap) => gap.signer === signer.did).map(gapFinding));
  if (findings.length === 0) return unasked(signer.did, given);

  const [couldNotTell] = furthestFirst(findings.filter(({ code }) => kindOf(code) !== "deny"));
  if (couldNotTell) return { kind: "open", finding: couldNotTell };
  return { kind: "refused", finding: furthestFirst(findings)[0] as Finding };
}

/** A signer of whom nothing was asked: only the registry's list could have led to them. */
function unasked(signer: Did, { gaps }: Case): Standing {
  const [hidden] = furthestFirst(gaps.filter((gap) => gap.signer === undefined).map(gapFinding));
  if (hidden) return { kind: "open", finding: { ...hidden, signer } };
  return {
    kind: "refused",
    finding: { signer, code: "signature.none", detail: `nothing names ${signer} as a signer` },
  };
}

function mismatch(facts: SignatureFacts, signer: TrustedSigner, given: Case): Finding | undefined {
  try {
    checkFacts(facts, signer, given);
    return undefined;
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { signer: signer.did, code: error.code, detail: error.message };
  }
}

function kindOf(code: RejectionCode): string {
  return REJECTIONS[code].kind;
}

function signerOf(attempt: Attempt): Did {
  return "facts" in attempt ? attempt.facts.signer : attempt.signer;
}

function gapFinding(gap: Gap): Finding {
  return { ...(gap.signer === undefined ? {} : { signer: gap.signer }), code: gap.code, detail: gap.detail };
}
