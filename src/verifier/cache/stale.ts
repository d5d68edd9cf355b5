import { formatDateTime } from "../../core/encoding/time.ts";
import { type Gap, isUnanswered } from "../../core/evidence/evidence.ts";
import { isRecent, isSilent } from "../../core/verify/freshness.ts";
import { type JudgeInput, judge } from "../../core/verify/judge.ts";
import type { Allow } from "../../core/verify/verdict.ts";
import { type Reuse, reuseEvidence, reuseOwner } from "./reuse.ts";
import type { SharedStores } from "./stores.ts";

/** The signers that were contacted, and what is known about them now. */
export type StaleQuestion = Omit<Reuse, "isInTime" | "holdsRev">;

/**
 * Judges again, adding stale evidence of those signers whose services could not be reached, or not in time
 * (spec 6). Policy, time, signer history and identities are the current ones.
 *
 * @returns undefined where stale evidence does not allow the image either
 */
export async function judgeWithStaleEvidence(
  given: JudgeInput,
  asked: StaleQuestion,
  cache: SharedStores["cache"],
): Promise<Allow | undefined> {
  const maxStaleness = given.rule.requirement.maxStaleness ?? 0;
  const isInTime = (times: readonly number[]): boolean => isRecent(times, given.now, maxStaleness);
  const missing = given.gaps.filter(({ service }) => service === "handle");
  const isOwnerSilent = given.owner === undefined && missing.length > 0 && missing.every(isUnanswered);
  const owner = isOwnerSilent ? reuseOwner(given, isInTime, cache) : undefined;
  const found = await reuseEvidence(
    given,
    { ...asked, isInTime, signers: asked.signers.filter((did) => isSilent(did, given)), holdsRev: false },
    cache,
  );
  const times = [...found.flatMap((one) => one.times), ...(owner === undefined ? [] : [owner.fetchedAt])];
  if (times.length === 0) return undefined;
  const verdict = judge({
    ...given,
    ...(owner && { owner }),
    attempts: [...given.attempts, ...found.map(({ attempt }) => attempt)],
    // Answers of this pull are compared with the history as it was before the requests.
    memory: new Map([...(given.memory ?? []), ...found.map(({ signer, memory }) => [signer, memory] as const)]),
    cached: cachedSince(Math.min(...times), given.gaps),
  });
  return verdict.outcome === "allow" ? verdict : undefined;
}

/** The reason of the allow says that stale evidence was used, and why. */
function cachedSince(at: number, gaps: readonly Gap[]): NonNullable<JudgeInput["cached"]> {
  const note = `by stale evidence, fetched at ${formatDateTime(at)}, because a service could not be reached: ${silenceOf(gaps)}`;
  return { at, note };
}

/** What was tried, of the answers that are missing. */
export function silenceOf(gaps: readonly Gap[]): string {
  return [...new Set(gaps.filter(isUnanswered).map(({ detail }) => detail))].join("; ");
}
