import { formatDateTime } from "../../core/encoding/time.ts";
import { type Gap, isUnanswered } from "../../core/evidence/evidence.ts";
import { isRecent, isSilent } from "../../core/verify/freshness.ts";
import { type Case, judge } from "../../core/verify/judge.ts";
import type { Allow } from "../../core/verify/verdict.ts";
import { type Reuse, reuseEvidence, reuseOwner } from "./reuse.ts";
import type { Lasting } from "./stores.ts";

/** Who was asked, and what is known of them by now. */
export type StaleQuestion = Omit<Reuse, "isInTime" | "holdsRev">;

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
    // What was heard now is held against what was known before it was asked for.
    memory: new Map([...(given.memory ?? []), ...found.map(({ signer, memory }) => [signer, memory] as const)]),
    cached: cachedSince(Math.min(...times), given.gaps),
  });
  return verdict.outcome === "allow" ? verdict : undefined;
}

/** The allow says that, and why, it does not rest on what the services say now. */
function cachedSince(at: number, gaps: readonly Gap[]): NonNullable<Case["cached"]> {
  const reasons = [...new Set(gaps.filter(isUnanswered).map(({ detail }) => detail))].join("; ");
  return { at, note: `by evidence verified ${formatDateTime(at)}, as services could not be reached: ${reasons}` };
}
