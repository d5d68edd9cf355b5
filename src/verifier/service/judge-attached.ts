import { CLOCK_SKEW } from "../../core/encoding/time.ts";
import type { SealedEvidence } from "../../core/evidence/sealed-evidence.ts";
import { ProvenIdentities, provenOf } from "../../core/verify/bundle-proof.ts";
import type { JudgeInput } from "../../core/verify/judge.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import { usableBundleKeys } from "../../io/store/seal-key-files.ts";
import { judgeWithOutsideEvidence, type OutsideQuestion } from "../cache/imported.ts";
import type { SharedStores } from "../cache/stores.ts";
import type { RegistryContext } from "../collect/context.ts";
import { findAttachments } from "../collect/find-attachments.ts";

/** A judgement with the evidence that is attached to the image. */
export interface JudgedAttached {
  /** Absent where nothing attached counts. */
  readonly verdict?: Verdict;
  /** Why attachments do not count. */
  readonly problems: readonly string[];
}

/** Registries, and what this node remembers. */
type AttachedContext = RegistryContext & Pick<SharedStores, "recordObservation" | "recordTime">;

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
  context: AttachedContext,
): Promise<JudgedAttached> {
  const unusable: string[] = [];
  const keys = usableBundleKeys(context.config.bundleKeys, ({ message }) => unusable.push(message));
  if (keys.length === 0) return { problems: unusable };
  const deadline = context.deadline.earlier(JUDGE_TIME);
  const found = await findAttachments(given.subject, keys, { ...context, deadline });
  const problems = [...unusable, ...found.problems];
  if (found.evidence.length === 0) return { problems };
  for (const evidence of found.evidence) await remember(evidence, given, context);
  const answer = await judgeWithOutsideEvidence(given, { ...question, attached: found.evidence });
  return { ...(answer && { verdict: answer.verdict }), problems };
}

/**
 * Remembers what attached evidence proves, as an import does: an older attachment in its place later must not bring back what
 * was deleted, nor a key that was replaced, nor an earlier time.
 */
async function remember(
  { image, gatheredAt }: SealedEvidence,
  { rule, now }: JudgeInput,
  { config, deadline, recordObservation, recordTime }: AttachedContext,
): Promise<void> {
  const trusted = new Set(rule.requirement.signers.map(({ did }) => did));
  const signatures = image.evidence.signatures.filter(({ signer }) => trusted.has(signer));
  const own = { ...image, evidence: { ...image.evidence, signatures } };
  for (const { signer, noes, operations, isIdentified } of provenOf(own, config.atcrHosts, new ProvenIdentities())) {
    if (isIdentified) await recordObservation({ signer, revs: [], noes, ...(operations && { operations }) });
    if (deadline.remaining() <= 0) return;
  }
  if (gatheredAt <= now + CLOCK_SKEW) await recordTime(gatheredAt);
}
