import type { JudgeInput } from "../../core/verify/judge.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import { usableBundleKeys } from "../../io/store/seal-key-files.ts";
import { judgeWithOutsideEvidence, type OutsideQuestion } from "../cache/imported.ts";
import type { RegistryContext } from "../collect/context.ts";
import { findAttachments } from "../collect/find-attachments.ts";

/** A judgement with the evidence that is attached to the image. */
export interface JudgedAttached {
  /** Absent where nothing attached counts. */
  readonly verdict?: Verdict;
  /** Why attachments do not count. */
  readonly problems: readonly string[];
}

/** Milliseconds that are left for judging what was attached. */
const JUDGE_TIME = 300;

/**
 * Judges again, adding the evidence that is attached to the image at its registry, and what was imported (docs/reference/bundles.md).
 *
 * @param question with the signers whose services were silent
 */
export async function judgeAttached(
  given: JudgeInput,
  question: OutsideQuestion,
  context: RegistryContext,
): Promise<JudgedAttached> {
  const unusable: string[] = [];
  const keys = usableBundleKeys(context.config.bundleKeys, ({ message }) => unusable.push(message));
  if (keys.length === 0) return { problems: unusable };
  const deadline = context.deadline.earlier(JUDGE_TIME);
  const found = await findAttachments(given.subject, keys, { ...context, deadline });
  const problems = [...unusable, ...found.problems];
  if (found.evidence.length === 0) return { problems };
  const answer = await judgeWithOutsideEvidence(given, { ...question, attached: found.evidence });
  return { ...(answer && { verdict: answer.verdict }), problems };
}
