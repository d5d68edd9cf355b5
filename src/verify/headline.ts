import type { Rule } from "../policy/policy.ts";
import { REJECTION_CODES, type RejectionCode } from "../rejection.ts";
import type { Pointer } from "./evidence.ts";
import type { Finding } from "./verdict.ts";

/** What the wording of a refusal depends on, beside its findings. */
interface Circumstances {
  readonly rule: Rule;
  readonly pointers: readonly Pointer[];
}

/** Why a signer was not asked. */
const UNASKED: ReadonlySet<RejectionCode> = new Set(["signer.revoked", "signer.not_yet_valid", "signer.expired"]);

/** The finding that got furthest first: the order of the table of codes (spec 6). */
export function furthestFirst(findings: readonly Finding[]): readonly Finding[] {
  const rank = ({ code }: Finding) => REJECTION_CODES.indexOf(code);
  const name = ({ signer, detail }: Finding) => `${signer ?? ""} ${detail}`;
  return [...findings].sort((a, b) => rank(b) - rank(a) || (name(a) < name(b) ? -1 : 1));
}

/** A finding for each signer that is offered and that the rule does not trust. */
export function untrusted({ pointers, rule }: Circumstances): readonly Finding[] {
  const trusted = new Set(rule.requirement.signers.map(({ did }) => did));
  const strangers = new Set(pointers.map(({ signer }) => signer).filter((did) => !trusted.has(did)));
  return [...strangers].map((signer) => {
    const detail = `a signature by ${signer} is offered, whom rule "${rule.name}" does not trust`;
    return { signer, code: "signer.untrusted", detail };
  });
}

/**
 * That a signer's repo lacks a record, or that a signer no longer counts, is news only where a
 * referrer named that signer. Otherwise this image is simply not signed by them.
 */
export function demote(finding: Finding, { pointers, rule }: Circumstances, nobodyEligible: boolean): Finding {
  const named = pointers.some(({ signer }) => signer === finding.signer);
  const minor = finding.code === "record.absent" || (UNASKED.has(finding.code) && !nobodyEligible);
  if (named || !minor) return finding;
  const detail = `nobody that rule "${rule.name}" trusts has signed this image: ${finding.detail}`;
  return { ...finding, code: "signature.none", detail };
}

/** A referrer that points to another record than the one looked at is reported (spec 3.2). */
export function withNote(finding: Finding, { pointers }: Circumstances): Finding {
  const note = pointers.find(({ signer, note }) => signer === finding.signer && note !== undefined)?.note;
  return note === undefined ? finding : { ...finding, detail: `${finding.detail}; a referrer ${note}` };
}
