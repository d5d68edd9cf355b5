import { type Did, isPlc } from "../atproto/syntax.ts";
import type { Collector } from "../collect/collect.ts";
import { Rejection, type RejectionCode } from "../rejection.ts";
import { isDisowned } from "../verify/check-name.ts";
import { type Case, findingAbout } from "../verify/judge.ts";
import { keptFor, type Seen } from "../verify/kept.ts";
import { NOTHING_REMEMBERED, rollback, type Sighting } from "../verify/memory.ts";
import { sightingOf } from "../verify/prove.ts";
import type { Findings } from "./findings.ts";
import { type EvidenceKeeper, forgetRefuted } from "./kept.ts";

/** What outlasts a pull. */
export interface Lasting {
  /** Remembers what was seen of a signer; never throws. */
  readonly remember: (sighting: Sighting) => Promise<void>;
  readonly keeper: EvidenceKeeper;
}

/** What was seen outlasts this pull (spec 5.7); what lies behind what was known before is not believed. */
export async function settle(given: Case, collector: Collector, found: Findings, context: Lasting): Promise<void> {
  for (const one of seenBy(given, collector, found)) {
    const { sighting } = one;
    const known = collector.memory.get(sighting.signer) ?? NOTHING_REMEMBERED;
    if (rollback(sighting, known) !== undefined) continue;
    // First, so that a crash between the two forgets too much and not too little.
    await forgetRefuted(one, known, given.subject, context.keeper);
    await context.remember(sighting);
  }
  for (const { signer, code } of given.gaps) {
    if (signer !== undefined && isWithdrawn(signer, code)) await context.keeper.forget(signer);
  }
  const { digest } = given.subject;
  for (const signer of collector.memory.keys()) {
    const current = collector.identityOf(signer)?.current;
    const handles = current === undefined || current instanceof Rejection ? {} : { handles: current.handles };
    if (isDisowned({ signer, ...handles }, given)) {
      await context.keeper.forget(signer, { digest, name: keptFor(given.subject) });
    }
  }
}

/** A repo that its PDS does not serve; a did:web whose document its host has no more. */
function isWithdrawn(signer: Did, code: RejectionCode): boolean {
  return code === "pds.repo_unavailable" || (code === "identity.unknown_did" && !isPlc(signer));
}

/** Every signature that was looked at, and who those are whose PDS was not heard. */
function seenBy(given: Case, { identities }: Collector, { examined }: Findings): readonly Seen[] {
  const signers = new Map(given.rule.requirement.signers.map((signer) => [signer.did, signer]));
  const heard = new Set(examined.map(({ evidence }) => evidence.signer));
  const looked = examined.flatMap(({ evidence, attempt }): Seen[] => {
    const signer = signers.get(evidence.signer);
    if (attempt.sighting === undefined || signer === undefined) return [];
    const finding = findingAbout(attempt, signer, given);
    const tag = "facts" in attempt ? attempt.facts.tag : undefined;
    return [{ sighting: attempt.sighting, ...(finding && { finding }), ...(tag && { tag }) }];
  });
  const unheard = identities.filter(({ did }) => !heard.has(did));
  return [...looked, ...unheard.map((identity) => ({ sighting: { ...sightingOf(identity), revs: [] } }))];
}
