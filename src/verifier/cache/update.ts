import { type Did, isPlc, type Tid } from "../../core/atproto/syntax.ts";
import type { SignatureEvidence } from "../../core/evidence/evidence.ts";
import { recordPath, tagRecordPath } from "../../core/evidence/record-path.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { RejectionCode } from "../../core/rejection.ts";
import { invalidationScope, isOtherKey, isOutdated } from "../../core/verify/freshness.ts";
import { checkAttempt, type JudgeInput } from "../../core/verify/judge.ts";
import { observationOf } from "../../core/verify/prove.ts";
import { noesOf } from "../../core/verify/proven-no.ts";
import { findRollback, NO_HISTORY, type Observation } from "../../core/verify/signer-history.ts";
import type { Attempt } from "../../core/verify/verdict.ts";
import type { InvalidatedBy } from "../../io/store/evidence-files.ts";
import type { Collector } from "../collect/collect.ts";
import type { GatheredEvidence } from "../collect/gathered-evidence.ts";
import type { SharedStores } from "./stores.ts";

/**
 * Persists what this pull learned: observations go into the signer history (spec 5.7), and each answer replaces or
 * invalidates the cached evidence of an earlier one (spec 6). Answers that are behind the history are ignored.
 *
 * @param keeps whether new evidence is cached; existing entries are replaced or invalidated either way
 */
export async function updateCache(
  given: JudgeInput,
  collector: Collector,
  found: GatheredEvidence,
  context: SharedStores,
  keeps: boolean,
): Promise<void> {
  const { cache } = context;
  const { now, subject } = given;
  const { digest } = subject;
  const trusted = new Set(given.rule.requirement.signers.map(({ did }) => did));
  // In the order of the answers: the history takes the key recorded first as the older one.
  for (const { proof, fetched } of collector.identities) {
    const observation = { ...observationOf(proof, fetched.fetchedAt), revs: [] };
    if (found.examined.some(({ attempt }) => shows(attempt, observation))) continue;
    const known = collector.memory.get(proof.did) ?? NO_HISTORY;
    if (findRollback(observation, known) !== undefined) continue;
    if (isOtherKey(observation, known)) await cache.drop(proof.did, { now });
    await context.recordObservation(observation);
  }
  for (const examined of found.examined) {
    const { evidence, attempt } = examined;
    const { observation } = attempt;
    const { signer } = evidence;
    if (observation === undefined || !trusted.has(signer)) continue;
    const known = collector.memory.get(signer) ?? NO_HISTORY;
    const behind = findRollback(observation, known)?.code ?? codeOf(attempt);
    if (behind === "identity.log_rolled_back") continue;
    const shown = { ...observation, noes: noesOf(evidence, attempt, given.target) };
    if (behind === "commit.rolled_back") {
      // Identity and commit are proven, so both are recorded; the record is old, so nothing is cached.
      if (isOtherKey(observation, known)) await cache.drop(signer, { now });
      await context.recordObservation(shown);
      continue;
    }
    // Invalidate first: a crash between the two steps then removes too much, never too little.
    const end = invalidationScope(attempt, known);
    if (end === "signer") await cache.drop(signer, { now });
    if (end === "digest") await cache.drop(signer, endingAt(now, observation.revs[0]), digest);
    // What invalidates all evidence of a signer invalidates this answer too: the next pull fetches again.
    const mayKeep = end === "nothing" && (await isNewest(attempt, context));
    await updateTag(given, examined, cache, keeps && mayKeep);
    // Even where nothing new is cached, an older entry must not survive this answer.
    const isCached = "facts" in attempt && mayKeep && (keeps || cache.find(signer, digest) !== undefined);
    if (isCached) await cache.keep(digest, evidence, attempt, isRefused(attempt, given));
    await context.recordObservation(shown);
  }
  for (const { signer, code } of given.gaps) {
    if (signer !== undefined && isWithdrawn(signer, code)) await cache.drop(signer, { now });
  }
  for (const { signer, path } of found.unprovenAbsences) {
    if (path === recordPath(digest)) await cache.drop(signer, { now }, digest);
    else await cache.dropTag(signer, path, { now });
  }
  await updateOwner(given, cache, keeps);
}

/** Whether an attempt used this identity, so that it is recorded together with the attempt. */
function shows({ observation }: Attempt, { signer, key, operations }: Omit<Observation, "revs">): boolean {
  const isSame = observation?.signer === signer && observation.key === key;
  return isSame && observation.operations?.length === operations?.length;
}

function codeOf(attempt: Attempt): RejectionCode | undefined {
  return "finding" in attempt ? attempt.finding.code : undefined;
}

/**
 * Whether an answer is still the newest that this node has seen of the signer: a parallel pull may have recorded a
 * later revision, operation or key.
 */
async function isNewest(attempt: Attempt, { loadHistory }: SharedStores): Promise<boolean> {
  const { observation } = attempt;
  if (observation === undefined) return false;
  const memory = await loadHistory(observation.signer);
  return (
    memory.unusable === undefined && findRollback(observation, memory) === undefined && !isOutdated(attempt, memory)
  );
}

/** Whether the rule rejects what an attempt proves. */
function isRefused(attempt: Attempt, given: JudgeInput): boolean {
  const { signers } = given.rule.requirement;
  return !signers.some(
    (one) => one.did === attempt.observation?.signer && "counted" in checkAttempt(attempt, one, given),
  );
}

function endingAt(now: number, rev: Tid | undefined): InvalidatedBy {
  return { now, ...(rev && { rev }) };
}

/** A repo that its PDS does not serve, or a did:web whose host no longer has the document. */
function isWithdrawn(signer: Did, code: RejectionCode): boolean {
  return code === "pds.repo_unavailable" || (code === "identity.unknown_did" && !isPlc(signer));
}

/**
 * Caches the image that a tag was proven to name, this one or another. If it names none, the cached tag record is
 * invalidated.
 */
async function updateTag(
  { subject, now, target }: JudgeInput,
  { evidence, attempt }: { readonly evidence: SignatureEvidence; readonly attempt: Attempt },
  cache: SharedStores["cache"],
  keeps: boolean,
): Promise<void> {
  const { tag, repository = "facts" in attempt ? attempt.facts.claim.repository : undefined } = target;
  if (tag === undefined || repository === undefined) return;
  const address = tagRecordPath(repository, tag);
  const { signer } = evidence;
  const { meaning, rev } = meaningOf(attempt, subject.digest);
  if (meaning === "unknown") return;
  if (keeps && meaning !== undefined && rev !== undefined) await cache.keepTag(meaning, address, evidence, rev);
  else if (meaning !== subject.digest) await cache.dropTag(signer, address, endingAt(now, rev));
}

/** Codes of a tag proof where the tag names no image, or where the server sends an incomplete proof of absence. */
const NO_TAG: ReadonlySet<RejectionCode> = new Set(["tag.absent", "tag.mismatch", "mst.incomplete_proof"]);

/** The image that a tag was proven to name, undefined where it names none; and the revision of that proof. */
function meaningOf(
  attempt: Attempt,
  digest: Digest,
): { readonly meaning: Digest | undefined | "unknown"; readonly rev?: Tid | undefined } {
  if ("finding" in attempt) {
    // A proof of the tag alone does not say which image it names.
    const isNone = NO_TAG.has(attempt.finding.code);
    return { meaning: isNone ? undefined : "unknown", rev: attempt.observation?.revs.at(-1) };
  }
  const { tag } = attempt.facts;
  if (tag === undefined) return { meaning: "unknown" };
  const { rev } = tag;
  if (!("code" in tag)) return { meaning: tag.claim === undefined ? undefined : digest, rev };
  return { meaning: NO_TAG.has(tag.code) ? tag.means : "unknown", rev };
}

/**
 * Caches the owner of the handle, if the rule trusts that signer. If a different owner is cached, the two lookups may
 * have overlapped: neither is cached, and the next pull looks it up again.
 */
async function updateOwner(
  { owner, subject, now, rule }: JudgeInput,
  cache: SharedStores["cache"],
  keeps: boolean,
): Promise<void> {
  if (owner === undefined) return;
  const { did, handle } = owner;
  const before = cache.findOwner(handle)?.did ?? did;
  const isTrusted = rule.requirement.signers.some((signer) => signer.did === did);
  if (!isTrusted || before !== did) await cache.dropOwner(handle, { now });
  else if (keeps) await cache.keepOwner(subject.digest, owner);
}
