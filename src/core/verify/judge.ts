import type { Did } from "../atproto/syntax.ts";
import type { Gap, OwnerAnswer, Pointer } from "../evidence/evidence.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import type { Selection } from "../policy/select.ts";
import { REJECTIONS, type RejectionCode, rejectionOf } from "../rejection.ts";
import { type CheckInput, checkFacts } from "./check-facts.ts";
import { distinctSignatures } from "./distinct.ts";
import { ineligible } from "./eligibility.ts";
import { asTold, furthest, furthestFirst, untrusted } from "./headline.ts";
import type { Question } from "./question.ts";
import { NOTHING_REMEMBERED, rollback } from "./signer-history.ts";
import type { Allow, Attempt, Check, CountedSignature, Finding, Verdict } from "./verdict.ts";

/** All that is known of an image. It has no clock. */
export interface Known extends Omit<CheckInput, keyof Question> {
  readonly attempts: readonly Attempt[];
  readonly pointers: readonly Pointer[];
  /** Where all or part of it was cached: the oldest fetch, in milliseconds since 1970, and a sentence that says so. */
  readonly cached?: { readonly at: number; readonly note: string };
}

/** What is known, and the question that it is held against. */
export interface Case extends Known, Question {}

/** What is known, grouped once: a rule may have 10,000 signers. */
interface Grouped {
  readonly attempts: ReadonlyMap<Did, readonly Attempt[]>;
  readonly gaps: ReadonlyMap<Did | undefined, readonly Gap[]>;
  /** What keeps the registry's list from being complete. */
  readonly hidden: Finding | undefined;
  /** Where the handle in the name leads, if that is asked for. */
  readonly owner: OwnerAnswer | undefined;
}

/** Where one trusted signer stands. */
type Standing =
  | { readonly kind: "counts"; readonly offered: readonly CountedSignature[] }
  | { readonly kind: "refused"; readonly finding: Finding } // no, whatever else could still be learned
  | { readonly kind: "open"; readonly finding: Finding }; // could still turn out to count

/**
 * The judgement of one image: what the policy selected for it (spec 2.1 to 2.3), and where that is a rule, what is
 * known held against it (spec 5.2, 5.6 to 5.8 and 6). Signatures count once per signer and once per key, in whatever
 * order they come. A refusal is inconclusive only where what is missing could still meet the rule.
 */
export function judge(selection: Exclude<Selection, { kind: "judge" }> | Case): Verdict {
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

function judgeByRule(given: Case): Verdict {
  const { rule } = given;
  if (rule.requirement.signers.length === 0) {
    const detail = `rule "${rule.name}" names no signer yet; add a DID under trustedDIDs in the policy`;
    return { outcome: "deny", code: "policy.no_signers", detail, findings: [] };
  }
  return granted(given) ?? refusal(given);
}

/**
 * The allow, where the rule is met by what is known; looks at those signers alone of whom there is an attempt.
 *
 * @returns undefined where it is not met, or not yet
 */
export function granted(given: Case): Allow | undefined {
  const { rule, now } = given;
  const attempts = bySigner(given.attempts, signerOf);
  const offered = rule.requirement.signers
    .filter((signer) => attempts.has(signer.did) && !ineligible(signer, now))
    .map((signer) => examined(signer, attempts.get(signer.did) ?? [], given).offered);
  const signatures = distinctSignatures(offered);
  if (rule.requirement.signers.length === 0 || signatures.length < rule.requirement.minSignatures) return undefined;
  const { cached } = given;
  const notes = [...notesOf(given), ...(cached === undefined ? [] : [cached.note])];
  const signed = { kind: "signed", rule: rule.name, signatures, notes } as const;
  return { outcome: "allow", because: { ...signed, ...(cached && { verifiedAt: cached.at }) } };
}

function refusal(given: Case): Verdict {
  const { rule, now } = given;
  const { signers, minSignatures } = rule.requirement;
  const known: Grouped = {
    attempts: bySigner(given.attempts, signerOf),
    gaps: bySigner(given.gaps, ({ signer }) => signer),
    hidden: furthest(given.gaps.filter(isOfRegistry).map(gapFinding)),
    owner: ownerOf(given),
  };
  const standings = signers.map((signer) => standingOf(signer, given, known));
  const offered = standings.flatMap((standing) => (standing.kind === "counts" ? [standing.offered] : []));
  const open = standings.flatMap((standing) => (standing.kind === "open" ? [standing.finding] : []));
  const refused = standings.flatMap((standing) => (standing.kind === "refused" ? [standing.finding] : []));
  const counted = distinctSignatures(offered).length;

  const nobodyEligible = signers.every((signer) => ineligible(signer, now) !== undefined);
  const denials = asTold([...untrusted(given), ...refused], given, nobodyEligible);
  const outcome = counted + open.length >= minSignatures ? "inconclusive" : "deny";
  // That the registry could not be reached may not matter to the outcome; whoever reads it should know.
  const details = new Set(open.map(({ detail }) => detail));
  const untold = given.gaps
    .filter(isOfRegistry)
    .map(gapFinding)
    .filter(({ detail }) => !details.has(detail));
  const findings = furthestFirst([...denials, ...open, ...untold]);
  const headline = furthest(outcome === "deny" ? denials : open);
  if (counted > 0 || headline === undefined) {
    const detail = `${counted} of ${minSignatures} signatures count under rule "${rule.name}"`;
    const code = outcome === "deny" ? "policy.too_few_signatures" : "policy.signatures_unconfirmed";
    return { outcome, code, detail, findings };
  }
  return { outcome, code: headline.code, detail: headline.detail, findings };
}

function standingOf(signer: TrustedSigner, given: Case, known: Grouped): Standing {
  const excluded = ineligible(signer, given.now);
  if (excluded) return { kind: "refused", finding: excluded };

  const { offered, findings } = examined(signer, known.attempts.get(signer.did) ?? [], given);
  if (offered.length > 0) return { kind: "counts", offered };
  const all = [...findings, ...(known.gaps.get(signer.did) ?? []).map(gapFinding)];
  if (all.length === 0) return unasked(signer.did, known);

  const couldNotTell = furthest(all.filter(({ code }) => kindOf(code) !== "deny"));
  if (couldNotTell) return { kind: "open", finding: couldNotTell };
  return { kind: "refused", finding: furthest(all) as Finding };
}

/** What of a signer's attempts counts, and why the others do not. */
function examined(signer: TrustedSigner, attempts: readonly Attempt[], given: CheckInput) {
  const [findings, offered]: [Finding[], CountedSignature[]] = [[], []];
  for (const attempt of attempts) {
    const checked = heldAgainst(attempt, signer, given);
    if ("finding" in checked) findings.push(checked.finding);
    else offered.push(checked.counted);
  }
  return { findings, offered };
}

/**
 * A signer of whom nothing was asked: only the registry's list could have led to them, and where the owner must
 * have signed, to the owner alone.
 */
function unasked(signer: Did, { hidden, owner }: Grouped): Standing {
  if (hidden !== undefined && (owner === undefined || owner.did === signer)) {
    return { kind: "open", finding: { ...hidden, signer } };
  }
  return {
    kind: "refused",
    finding: { signer, code: "signature.none", detail: `no referrer names ${signer} as a signer` },
  };
}

/** Where the handle in the name leads, if the rule wants that signer and it was answered. */
function ownerOf({ asksOwner, atcr, owner }: Case): OwnerAnswer | undefined {
  return asksOwner && owner?.handle === atcr?.handle ? owner : undefined;
}

function bySigner<T, K extends Did | undefined>(items: readonly T[], of: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  return Map.groupBy(items, of);
}

/** What makes an attempt count for a signer, or why it does not. */
export function heldAgainst(
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

/** What was proven is old: behind what this node has seen, or behind the policy's minRev (spec 5.7). */
function behind({ sighting }: Attempt, { did, minRev }: TrustedSigner, { memory }: CheckInput): Finding | undefined {
  if (sighting === undefined) return undefined;
  const rolledBack = memory === undefined ? undefined : rollback(sighting, memory.get(did) ?? NOTHING_REMEMBERED);
  if (rolledBack !== undefined) return { signer: did, ...rolledBack };
  const older = sighting.revs.find((rev) => minRev !== undefined && rev < minRev);
  if (older === undefined) return undefined;
  const detail = `the repo of ${did} is shown as of ${older}, the policy's minRev is ${minRev}`;
  return { signer: did, code: "commit.older_than_pinned", detail };
}

function notesOf({ subject, rule }: Case): readonly string[] {
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
