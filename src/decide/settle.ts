import { type Did, isPlc } from "../atproto/syntax.ts";
import type { Collector } from "../collect/collect.ts";
import type { RejectionCode } from "../rejection.ts";
import type { SignatureEvidence } from "../verify/evidence.ts";
import type { Case } from "../verify/judge.ts";
import { ended, isOtherKey } from "../verify/kept.ts";
import { NOTHING_REMEMBERED, rollback } from "../verify/memory.ts";
import { sightingOf } from "../verify/prove.ts";
import { tagRecordPath } from "../verify/tag.ts";
import type { Attempt } from "../verify/verdict.ts";
import type { Findings } from "./findings.ts";
import type { Lasting } from "./lasting.ts";

/**
 * What was heard outlasts this pull: what was seen of signers is remembered (spec 5.7), and each newer answer
 * takes the place of what was kept of the one before, or ends it (spec 6). What lies behind what was known
 * before is not believed.
 *
 * @param keeps whether evidence is kept where none was; what was is replaced or forgotten all the same
 */
export async function settle(
  given: Case,
  collector: Collector,
  found: Findings,
  context: Lasting,
  keeps: boolean,
): Promise<void> {
  const { cache } = context;
  const trusted = new Set(given.rule.requirement.signers.map(({ did }) => did));
  for (const { evidence, attempt } of found.examined) {
    const { sighting } = attempt;
    if (sighting === undefined || !trusted.has(evidence.signer)) continue;
    const known = collector.memory.get(evidence.signer) ?? NOTHING_REMEMBERED;
    if (rollback(sighting, known) !== undefined) continue;
    // First what is over, so that a crash between the two forgets too much and not too little.
    const { digest } = given.subject;
    const end = ended(attempt, known);
    if (end === "signer") await cache.drop(evidence.signer);
    if (end === "digest") await cache.drop(evidence.signer, digest);
    // An older answer is never left in the place of this one.
    const isKept = "facts" in attempt && (keeps || cache.find(evidence.signer, digest) !== undefined);
    if (isKept) await cache.keep(digest, evidence, attempt);
    await settleTag(given, collector, { evidence, attempt }, cache, keeps);
    await context.remember(sighting);
  }
  const heard = new Set(found.examined.map(({ evidence }) => evidence.signer));
  for (const identity of collector.identities) {
    if (heard.has(identity.did)) continue;
    const sighting = { ...sightingOf(identity), revs: [] };
    const known = collector.memory.get(identity.did) ?? NOTHING_REMEMBERED;
    if (rollback(sighting, known) !== undefined) continue;
    if (isOtherKey(sighting, known)) await cache.drop(identity.did);
    await context.remember(sighting);
  }
  for (const { signer, code } of given.gaps) {
    if (signer !== undefined && isWithdrawn(signer, code)) await cache.drop(signer);
  }
  await settleOwner(given, cache, keeps);
}

/** A repo that its PDS does not serve; a did:web whose document its host has no more. */
function isWithdrawn(signer: Did, code: RejectionCode): boolean {
  return code === "pds.repo_unavailable" || (code === "identity.unknown_did" && !isPlc(signer));
}

/** The newest proof of what a tag means, also where it is another image; none where it means nothing. */
async function settleTag(
  { subject }: Case,
  { sought }: Collector,
  { evidence, attempt }: { readonly evidence: SignatureEvidence; readonly attempt: Attempt },
  cache: Lasting["cache"],
  keeps: boolean,
): Promise<void> {
  const { tag, repository = "facts" in attempt ? attempt.facts.claim.repository : undefined } = sought;
  if (tag === undefined || repository === undefined) return;
  const address = tagRecordPath(repository, tag);
  const means = meaningOf(attempt);
  if (means === "something" && (keeps || cache.findTag(evidence.signer, address) !== undefined)) {
    await cache.keepTag(subject.digest, address, evidence);
  }
  if (means === "nothing") await cache.dropTag(evidence.signer, address);
}

/** What is proven of the tag; undefined where nothing is. */
function meaningOf(attempt: Attempt): "something" | "nothing" | undefined {
  if ("finding" in attempt) {
    const { code } = attempt.finding;
    return code === "tag.absent" || code === "tag.mismatch" ? "nothing" : undefined;
  }
  const { tag } = attempt.facts;
  if (tag === undefined) return undefined;
  if (!("code" in tag)) return tag.claim === undefined ? "nothing" : "something";
  if (tag.code !== "tag.mismatch") return undefined;
  return tag.means === undefined ? "nothing" : "something";
}

/** Whom the handle leads to, where that was answered. */
async function settleOwner({ owner, subject }: Case, cache: Lasting["cache"], keeps: boolean): Promise<void> {
  if (owner === undefined) return;
  if (owner.did === undefined) await cache.dropOwner(owner.handle);
  else if (keeps || cache.findOwner(owner.handle) !== undefined) await cache.keepOwner(subject.digest, owner);
}
