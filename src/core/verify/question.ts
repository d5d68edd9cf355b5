import type { Did } from "../atproto/syntax.ts";
import type { Subject } from "../evidence/evidence.ts";
import { demandsOwner } from "../policy/owner.ts";
import type { Rule } from "../policy/policy.ts";
import { type AtcrName, atcrName } from "./atcr-name.ts";
import { ineligible } from "./eligibility.ts";
import type { ProofTarget } from "./prove.ts";

/** One image under one rule, and what follows from both: computed once for all steps. */
export interface Question {
  readonly subject: Subject;
  readonly rule: Rule;
  /** Hosts whose names are `HANDLE/REPOSITORY` (spec 5.6). */
  readonly atcrHosts: readonly string[];
  /** Handle and repository in the image's name, on those hosts. */
  readonly atcr?: AtcrName;
  /** Whether the handle in the name must belong to the signer (spec 5.8). */
  readonly asksOwner: boolean;
  readonly target: ProofTarget;
  /** Signers whose signatures count at this time; only these are contacted (spec 5.2). */
  readonly eligible: ReadonlySet<Did>;
}

/** @param now milliseconds since 1970 */
export function questionOf(subject: Subject, rule: Rule, atcrHosts: readonly string[], now: number): Question {
  const { name, digest } = subject;
  const { requirement } = rule;
  const atcr = atcrName(name, atcrHosts);
  // Without `tag: match` no proof of the tag is needed.
  const tag = requirement.tag === "match" ? subject.tag : undefined;
  const eligible = requirement.signers.filter((signer) => !ineligible(signer, now));
  return {
    subject,
    rule,
    atcrHosts,
    ...(atcr && { atcr }),
    asksOwner: demandsOwner(requirement, name.host, atcrHosts),
    target: { digest, ...(tag !== undefined && { tag }), ...(atcr && { repository: atcr.repository }) },
    eligible: new Set(eligible.map(({ did }) => did)),
  };
}
