import { Missing } from "../collect/context.ts";
import { inSteps } from "../collect/replay.ts";
import type { Deadline } from "../net/deadline.ts";
import { select } from "../policy/select.ts";
import { applyAction } from "../verify/judge.ts";
import { bundleSteps, type SavedCase } from "../verify/offline.ts";
import type { Verdict } from "../verify/verdict.ts";

/**
 * Judges saved evidence until the time is over, as a pull does: whoever made a bundle may have put costly logs in it.
 *
 * @throws Rejection input.digest_mismatch where the evidence is about another digest
 */
export async function judgeSaved(given: SavedCase, deadline: Deadline): Promise<Verdict> {
  try {
    return await inSteps(bundleSteps(given), "all of the saved evidence", { deadline });
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    const { code, message } = error;
    const verdict: Verdict = { outcome: "inconclusive", code, detail: message, findings: [] };
    const selection = select(given.policy, given.name, given.digest);
    return selection.kind === "judge" ? applyAction(selection.rule, verdict) : verdict;
  }
}
