import type { Did } from "../atproto/syntax.ts";
import type { Pointer } from "../evidence/evidence.ts";
import type { Rule } from "../policy/policy.ts";
import { REJECTION_CODES, type RejectionCode } from "../rejection.ts";
import type { Finding } from "./verdict.ts";

/** What the wording of a refusal depends on, besides its findings. */
interface Circumstances {
  readonly rule: Rule;
  readonly pointers: readonly Pointer[];
}

/** Codes of signers that were not contacted. */
const UNASKED: ReadonlySet<RejectionCode> = new Set(["signer.revoked", "signer.not_yet_valid", "signer.expired"]);

const RANKS: ReadonlyMap<RejectionCode, number> = new Map(REJECTION_CODES.map((code, rank) => [code, rank]));

/** Sorted by how far the signature got, furthest first: the order of the table of codes (spec 6). */
export function furthestFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings
    .map(placed)
    .sort(compare)
    .map(({ finding }) => finding);
}

/** The first of {@link furthestFirst}. */
export function furthest(findings: readonly Finding[]): Finding | undefined {
  const [first, ...others] = findings.map(placed);
  return others.reduce((best, one) => (best !== undefined && compare(one, best) >= 0 ? best : one), first)?.finding;
}

/** A finding and its sort key, computed once: there may be one for each of 10,000 signers. */
interface Placed {
  readonly finding: Finding;
  readonly rank: number;
  readonly name: string;
}

function placed(finding: Finding): Placed {
  const { code, signer, detail } = finding;
  return { finding, rank: RANKS.get(code) ?? 0, name: `${signer ?? ""} ${detail}` };
}

function compare(a: Placed, b: Placed): number {
  return b.rank - a.rank || (a.name === b.name ? 0 : a.name < b.name ? -1 : 1);
}

/** A finding for each signer that a referrer names and that the rule does not trust. */
export function untrusted({ pointers, rule }: Circumstances): readonly Finding[] {
  const trusted = new Set(rule.requirement.signers.map(({ did }) => did));
  const strangers = new Set(pointers.map(({ signer }) => signer).filter((did) => !trusted.has(did)));
  return [...strangers].map((signer) => {
    const detail = `the registry lists a signature by ${signer}, but rule "${rule.name}" does not trust that signer`;
    return { signer, code: "signer.untrusted", detail };
  });
}

/**
 * Findings as a refusal reports them. A missing record or an ineligible signer is reported as such only if a referrer
 * named that signer; otherwise the image is simply not signed by them. A referrer that points to another record is
 * mentioned (spec 3.2).
 */
export function asReported(
  findings: readonly Finding[],
  { pointers, rule }: Circumstances,
  nobodyEligible: boolean,
): readonly Finding[] {
  const named = new Set<Did | undefined>(pointers.map(({ signer }) => signer));
  const notes = new Map<Did | undefined, string>();
  for (const { signer, note } of pointers) if (note !== undefined && !notes.has(signer)) notes.set(signer, note);
  return findings.map((finding): Finding => {
    const { signer, code, detail } = finding;
    const isMinor = code === "record.absent" || (UNASKED.has(code) && !nobodyEligible);
    const demoted = isMinor && !named.has(signer);
    const what = demoted ? `no signer that rule "${rule.name}" trusts has signed this image: ${detail}` : detail;
    const note = notes.get(signer);
    return {
      ...finding,
      code: demoted ? "signature.none" : code,
      detail: note === undefined ? what : `${what}; a referrer ${note}`,
    };
  });
}
