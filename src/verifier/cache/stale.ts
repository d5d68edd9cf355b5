import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import { type Gap, isUnanswered } from "../../core/evidence/evidence.ts";
import { isOutdated, isRecent, isSilent, isVouched, partTimes } from "../../core/verify/freshness.ts";
import { type Case, judge } from "../../core/verify/judge.ts";
import type { Memory } from "../../core/verify/signer-history.ts";
import type { Allow, Attempt } from "../../core/verify/verdict.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import { proveCached } from "./prove-cached.ts";
import type { Lasting } from "./stores.ts";

/** Who was asked, and what is known of them by now. */
export interface StaleQuestion {
  /** What is remembered by now of each who was asked. */
  readonly memory: Memory;
  /** Who a signer is, where the network has told. */
  readonly identityOf: (signer: Did) => IdentityProof | undefined;
  /** The directories that are configured: what another one said does not count any more. */
  readonly plcDirectories: readonly string[];
  readonly deadline: Deadline;
}

/**
 * Judges once more with evidence verified before, of signers who were asked and of whom nothing was heard:
 * their services could not be reached, or not in time (spec 6). Policy, times, memory of logs and what is
 * known of their identity are those of now.
 *
 * @returns undefined where that changes nothing
 */
export async function judgeKept(
  given: Case,
  asked: StaleQuestion,
  cache: Lasting["cache"],
): Promise<Allow | undefined> {
  const maxStaleness = given.rule.requirement.maxStaleness ?? 0;
  const isUsable = (...times: number[]): boolean => isRecent(times, given.now, maxStaleness);
  // What was heard now is held against what was known before it was asked for.
  const memory = new Map(given.memory);
  const attempts = [...given.attempts];
  const times: number[] = [];

  let { owner } = given;
  const handle = given.atcr?.handle;
  const missing = given.gaps.filter(({ service }) => service === "handle");
  if (owner === undefined && handle !== undefined && missing.length > 0 && missing.every(isUnanswered)) {
    const kept = cache.findOwner(handle);
    if (kept !== undefined && isUsable(kept.fetchedAt)) {
      owner = kept;
      times.push(kept.fetchedAt);
    }
  }
  // Whether a repo was seen to go back, or to change its key, is not known where the memory is unusable.
  const silent = [...asked.memory].filter(([did, { unusable }]) => unusable === undefined && isSilent(did, given));
  // All at once, so that a signer with a costly log leaves the others their share of the time.
  const evidence = await Promise.all(
    silent.map(async ([signer, remembered]) => {
      const known = cache.find(signer, given.subject.digest);
      // The identity may have been fetched in this pull, and is then what counts.
      const proven =
        known && (await proveCached(known, signer, given.target, cache, asked.deadline, asked.identityOf(signer)));
      return { signer, remembered, proven };
    }),
  );
  for (const { signer, remembered, proven } of evidence) {
    if (proven === undefined || !isUsable(...partTimes(proven.signature))) continue;
    if (!isVouched(signer, proven.signature.identity.url, asked.plcDirectories)) continue;
    const again = ofSeveralTimes(proven.attempt);
    if (isOutdated(again, remembered)) continue;
    // Verified before, the repo may well lie behind what was seen since of another image.
    const { operations, keys } = remembered;
    memory.set(signer, { operations, keys });
    attempts.push(again);
    times.push(...partTimes(proven.signature));
  }
  if (times.length === 0) return undefined;
  const cached = cachedSince(Math.min(...times), given.gaps);
  const verdict = judge({ ...given, ...(owner && { owner }), attempts, memory, cached });
  return verdict.outcome === "allow" ? verdict : undefined;
}

/** The proofs of record and tag were had at different times: which of them is the older says nothing. */
function ofSeveralTimes(again: Attempt): Attempt {
  const { sighting } = again;
  return sighting === undefined ? again : { ...again, sighting: { ...sighting, revs: sighting.revs.toSorted() } };
}

/** The allow says that, and why, it does not rest on what the services say now. */
function cachedSince(at: number, gaps: readonly Gap[]): NonNullable<Case["cached"]> {
  const reasons = [...new Set(gaps.filter(isUnanswered).map(({ detail }) => detail))].join("; ");
  return { at, note: `by evidence verified ${formatDateTime(at)}, as services could not be reached: ${reasons}` };
}
