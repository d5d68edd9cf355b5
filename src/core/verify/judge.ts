import type { Did } from "../atproto/syntax.ts";
import type { Gap, OwnerAnswer, Pointer } from "../evidence/evidence.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import type { Selection } from "../policy/select.ts";
import { REJECTIONS, type RejectionCode, rejectionOf } from "../rejection.ts";
import { type CheckInput, checkFacts } from "./check-facts.ts";
import { distinctSignatures } from "./distinct.ts";
import { ineligible } from "./eligibility.ts";
import { asReported, furthest, furthestFirst, untrusted } from "./headline.ts";
import type { Question } from "./question.ts";
import { findRollback, NO_HISTORY } from "./signer-history.ts";
import type { Allow, Attempt, Check, CountedSignature, Finding, Verdict } from "./verdict.ts";

/** All evidence for an image. */
export interface Known extends Omit<CheckInput, keyof Question> {
  readonly attempts: readonly Attempt[];
  readonly pointers: readonly Pointer[];
  /** If any of it was cached: when the oldest part was fetched, in milliseconds since 1970, and a note for the reason. */
  readonly cached?: { readonly at: number; readonly note: string };
}

/** The evidence, and the question to judge. */
export interface JudgeInput extends Known, Question {}

/** The evidence, grouped once: a rule may have 10,000 signers. */
interface Grouped {
  readonly attempts: ReadonlyMap<Did, readonly Attempt[]>;
  readonly gaps: ReadonlyMap<Did | undefined, readonly Gap[]>;
  /** Why the registry's list of referrers may be incomplete. */
  readonly hidden: Finding | undefined;
  /** The owner of the handle in the name, if the rule checks it. */
  readonly owner: OwnerAnswer | undefined;
}

/** The result for one trusted signer. */
type SignerResult =
  | { readonly kind: "accepted"; readonly offered: readonly CountedSignature[] }
  | { readonly kind: "rejected"; readonly finding: Finding } // rejected, whatever a missing answer would say
  | { readonly kind: "unknown"; readonly finding: Finding }; // a missing answer could still make it count

/**
 * Judges one image by what the policy selected (spec 2.1 to 2.3); if that is a rule, by the evidence (spec 5.2, 5.6 to
 * 5.8 and 6). Signatures count once per signer and once per key, independent of their order. A refusal is inconclusive
 * only if missing answers could still meet the rule.
 */
export function judge(selection: Exclude<Selection, { kind: "judge" }> | JudgeInput): Verdict {
  if (!("kind" in selection)) return judgeByRule(selection);
  switch (selection.kind) {
    case "exempt":
      return { outcome: "allow", because: { kind: "exempt", because: selection.because } };
    case "denied":
      return { outcome: "deny", code: "policy.denied", detail: selection.because, findings: [] };
    case "no_match":
      return { outcome: "deny", code: "policy.no_match", detail: selection.because, findings: [] };
  }
}

function judgeByRule(given: JudgeInput): Verdict {
  const { rule } = given;
  if (rule.requirement.signers.length === 0) {
    const detail = `rule "${rule.name}" names no signer yet; add a DID under trustedDIDs in the policy`;
    return { outcome: "deny", code: "policy.no_signers", detail, findings: [] };
  }
  return granted(given) ?? refusal(given);
}

/**
 * Whether the evidence so far meets the rule. Only signers with an attempt are examined.
 *
 * @returns undefined where the rule is not met, or not yet
 */
export function granted(given: JudgeInput): Allow | undefined {
  const { rule, now } = given;
  const attempts = bySigner(given.attempts, signerOf);
  const offered = rule.requirement.signers
    .filter((signer) => attempts.has(signer.did) && !ineligible(signer, now))
    .map((signer) => checkSigner(signer, attempts.get(signer.did) ?? [], given).offered);
  const signatures = distinctSignatures(offered);
  if (rule.requirement.signers.length === 0 || signatures.length < rule.requirement.minSignatures) return undefined;
  const { cached } = given;
  const notes = [...notesOf(given), ...(cached === undefined ? [] : [cached.note])];
  const signed = { kind: "signed", rule: rule.name, signatures, notes } as const;
  return { outcome: "allow", because: { ...signed, ...(cached && { verifiedAt: cached.at }) } };
}

function refusal(given: JudgeInput): Verdict {
  const { rule, now } = given;
  const { signers, minSignatures } = rule.requirement;
  const known: Grouped = {
    attempts: bySigner(given.attempts, signerOf),
    gaps: bySigner(given.gaps, ({ signer }) => signer),
    hidden: furthest(given.gaps.filter(isOfRegistry).map(gapFinding)),
    owner: ownerOf(given),
  };
  const results = signers.map((signer) => resultOf(signer, given, known));
  const offered = results.flatMap((result) => (result.kind === "accepted" ? [result.offered] : []));
  const open = results.flatMap((result) => (result.kind === "unknown" ? [result.finding] : []));
  const refused = results.flatMap((result) => (result.kind === "rejected" ? [result.finding] : []));
  const counted = distinctSignatures(offered).length;

  const nobodyEligible = signers.every((signer) => ineligible(signer, now) !== undefined);
  const denials = asReported([...untrusted(given), ...refused], given, nobodyEligible);
  const outcome = counted + open.length >= minSignatures ? "inconclusive" : "deny";
  // Registry failures are reported even if they did not affect the outcome.
  const details = new Set(open.map(({ detail }) => detail));
  const unreported = given.gaps
    .filter(isOfRegistry)
    .map(gapFinding)
    .filter(({ detail }) => !details.has(detail));
  const findings = furthestFirst([...denials, ...open, ...unreported]);
  const headline = furthest(outcome === "deny" ? denials : open);
  if (counted > 0 || headline === undefined) {
    const detail = `${counted} of ${minSignatures} required signatures count under rule "${rule.name}"`;
    const code = outcome === "deny" ? "policy.too_few_signatures" : "policy.signatures_unconfirmed";
    return { outcome, code, detail, findings };
  }
  return { outcome, code: headline.code, detail: headline.detail, findings };
}

function resultOf(signer: TrustedSigner, given: JudgeInput, known: Grouped): SignerResult {
  const excluded = ineligible(signer, given.now);
  if (excluded) return { kind: "rejected", finding: excluded };

  const { offered, findings } = checkSigner(signer, known.attempts.get(signer.did) ?? [], given);
  if (offered.length > 0) return { kind: "accepted", offered };
  const all = [...findings, ...(known.gaps.get(signer.did) ?? []).map(gapFinding)];
  if (all.length === 0) return notContacted(signer.did, known);

  const couldNotTell = furthest(all.filter(({ code }) => kindOf(code) !== "deny"));
  if (couldNotTell) return { kind: "unknown", finding: couldNotTell };
  return { kind: "rejected", finding: furthest(all) as Finding };
}

/** A signer's signatures that count, and why the others do not. */
function checkSigner(signer: TrustedSigner, attempts: readonly Attempt[], given: CheckInput) {
  const [findings, offered]: [Finding[], CountedSignature[]] = [[], []];
  for (const attempt of attempts) {
    const checked = checkAttempt(attempt, signer, given);
    if ("finding" in checked) findings.push(checked.finding);
    else offered.push(checked.counted);
  }
  return { findings, offered };
}

/**
 * A signer that was not contacted: only the registry's list could have named them, and if the owner must have signed,
 * only the owner matters.
 */
function notContacted(signer: Did, { hidden, owner }: Grouped): SignerResult {
  if (hidden !== undefined && (owner === undefined || owner.did === signer)) {
    return { kind: "unknown", finding: { ...hidden, signer } };
  }
  return {
    kind: "rejected",
    finding: { signer, code: "signature.none", detail: `no referrer names ${signer} as a signer` },
  };
}

/** The owner of the handle in the name, if the rule checks it and the lookup succeeded. */
function ownerOf({ asksOwner, atcr, owner }: JudgeInput): OwnerAnswer | undefined {
  return asksOwner && owner?.handle === atcr?.handle ? owner : undefined;
}

function bySigner<T, K extends Did | undefined>(items: readonly T[], of: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  return Map.groupBy(items, of);
}

/** Checks an attempt for a signer: the counted signature, or why it does not count. */
export function checkAttempt(
  attempt: Attempt,
  signer: TrustedSigner,
  given: CheckInput,
): { readonly counted: CountedSignature } | { readonly finding: Finding } {
  const finding = behind(attempt, signer, given);
  if (finding !== undefined) return { finding };
  if ("finding" in attempt) return attempt;
  const { facts } = attempt;
  let checks: readonly Check[] = [];
  const objection = rejectionOf(() => {
    checks = checkFacts(facts, signer, given);
  });
  if (objection !== undefined) {
    return { finding: { signer: signer.did, code: objection.code, detail: objection.message } };
  }
  return { counted: { ...facts, checks, ...(signer.name !== undefined && { signerName: signer.name }) } };
}

/** A finding where the proof is behind the signer history, or older than the policy's minRev (spec 5.7). */
function behind({ observation }: Attempt, { did, minRev }: TrustedSigner, { memory }: CheckInput): Finding | undefined {
  if (observation === undefined) return undefined;
  const rolledBack = memory === undefined ? undefined : findRollback(observation, memory.get(did) ?? NO_HISTORY);
  if (rolledBack !== undefined) return { signer: did, ...rolledBack };
  const older = observation.revs.find((rev) => minRev !== undefined && rev < minRev);
  if (older === undefined) return undefined;
  const detail = `the PDS served revision ${older} of the repo of ${did}, older than the policy's minRev ${minRev}`;
  return { signer: did, code: "commit.older_than_pinned", detail };
}

function notesOf({ subject, rule }: JudgeInput): readonly string[] {
  return rule.requirement.tag === "match" && subject.tag === undefined ? ["pulled by digest: no tag was checked"] : [];
}

function isOfRegistry({ service }: Gap): boolean {
  return service === "registry";
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
