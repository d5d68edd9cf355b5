import { type Did, isPlc } from "../atproto/syntax.ts";
import type { Collector } from "../collect/collect.ts";
import type { RejectionCode } from "../rejection.ts";
import { recordPath } from "../verify/claim.ts";
import type { SignatureEvidence } from "../verify/evidence.ts";
import type { Case } from "../verify/judge.ts";
import { ended, isOtherKey } from "../verify/kept.ts";
import { NOTHING_REMEMBERED, rollback, type Sighting } from "../verify/memory.ts";
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
  // In the order of the answers: of two keys the one remembered first counts as the older one.
  for (const identity of collector.identities) {
    const sighting = { ...sightingOf(identity), revs: [] };
    if (found.examined.some(({ attempt }) => shows(attempt, sighting))) continue;
    const known = collector.memory.get(identity.did) ?? NOTHING_REMEMBERED;
    if (rollback(sighting, known) !== undefined) continue;
    if (isOtherKey(sighting, known)) await cache.drop(identity.did);
    await context.remember(sighting);
  }
  for (const { evidence, attempt } of found.examined) {
    const { sighting } = attempt;
    if (sighting === undefined || !trusted.has(evidence.signer)) continue;
    const known = collector.memory.get(evidence.signer) ?? NOTHING_REMEMBERED;
    const behind = rollback(sighting, known)?.code ?? codeOf(attempt);
    if (behind === "identity.log_rolled_back") continue;
    if (behind === "commit.rolled_back") {
      // The identity is as good as any, and the commit is proven: both are remembered, and nothing is cached.
      if (isOtherKey(sighting, known)) await cache.drop(evidence.signer);
      await context.remember(sighting);
      continue;
    }
    // First what is over, so that a crash between the two forgets too much and not too little.
    const { digest } = given.subject;
    const end = ended(attempt, known);
    if (end === "signer") await cache.drop(evidence.signer);
    if (end === "digest") await cache.drop(evidence.signer, digest);
    await settleTag(given, collector, { evidence, attempt }, cache, keeps);
    // An older answer is never left in the place of this one.
    const isKept = "facts" in attempt && (keeps || cache.find(evidence.signer, digest) !== undefined);
    if (isKept) await cache.keep(digest, evidence, attempt);
    await context.remember(sighting);
  }
  for (const { signer, code } of given.gaps) {
    if (signer !== undefined && isWithdrawn(signer, code)) await cache.drop(signer);
  }
  for (const { signer, path } of found.unprovenAbsences) {
    if (path === recordPath(given.subject.digest)) await cache.drop(signer, given.subject.digest);
    else await cache.dropTag(signer, path);
  }
  await settleOwner(given, cache, keeps);
}

/** Whether an attempt rests on this identity, so that what it shows is remembered with the attempt. */
function shows({ sighting }: Attempt, { signer, key, operations }: Omit<Sighting, "revs">): boolean {
  const isSame = sighting?.signer === signer && sighting.key === key;
  return isSame && sighting.operations?.length === operations?.length;
}

function codeOf(attempt: Attempt): RejectionCode | undefined {
  return "finding" in attempt ? attempt.finding.code : undefined;
}

/** A repo that its PDS does not serve; a did:web whose document its host has no more. */
function isWithdrawn(signer: Did, code: RejectionCode): boolean {
  return code === "pds.repo_unavailable" || (code === "identity.unknown_did" && !isPlc(signer));
}

/**
 * What a tag was proven to mean, this image or another, which is then the answer for both; of a tag that means
 * none it is forgotten what it meant.
 */
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
  const meaning = meaningOf(attempt);
  if (keeps && (meaning === "this" || meaning === "another")) await cache.keepTag(subject.digest, address, evidence);
  else if (meaning === "none" || meaning === "another") await cache.dropTag(evidence.signer, address);
}

/** What comes of a tag's proof where it means no image, or where a server shows no more than that it has no record. */
const NO_TAG: ReadonlySet<RejectionCode> = new Set(["tag.absent", "tag.mismatch", "mst.incomplete_proof"]);

/** What a tag was proven to mean: this image, another, or none; unknown where nothing was proven of it. */
function meaningOf(attempt: Attempt): "this" | "another" | "none" | "unknown" {
  if ("finding" in attempt) {
    // With the tag's record alone it is not known which image it means.
    return NO_TAG.has(attempt.finding.code) ? "none" : "unknown";
  }
  const { tag } = attempt.facts;
  if (tag === undefined) return "unknown";
  if (!("code" in tag)) return tag.claim === undefined ? "none" : "this";
  if (!NO_TAG.has(tag.code)) return "unknown";
  return tag.means === undefined ? "none" : "another";
}

/** Whom the handle leads to, where that was answered; somebody else than was kept ends that. */
async function settleOwner({ owner, subject }: Case, cache: Lasting["cache"], keeps: boolean): Promise<void> {
  if (owner === undefined) return;
  const { did, handle } = owner;
  if (keeps && did !== undefined) await cache.keepOwner(subject.digest, owner);
  else if (did === undefined || cache.findOwner(handle)?.did !== did) await cache.dropOwner(handle);
}
