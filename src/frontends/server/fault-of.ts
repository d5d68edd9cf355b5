import type { RejectionCode } from "../../core/rejection.ts";
import { type Failure, failureOf } from "../../core/verify/answer.ts";
import type { Refusal } from "../../core/verify/verdict.ts";

/** What the author of a pod may have written wrong: a refusal of that pod, and no fault of this server. */
const OF_THE_AUTHOR: ReadonlySet<RejectionCode> = new Set(["image.malformed_reference", "input.unsupported_digest"]);

/**
 * Turns an error that ended the work on one image into an answer. Every gate must use this one: `misconfigured` wakes an
 * administrator, so nothing that the author of a pod writes may be it.
 */
export function faultOf(error: unknown): Refusal | Failure {
  const failure = failureOf(error);
  if (!OF_THE_AUTHOR.has(failure.code)) return failure;
  return { outcome: "deny", code: failure.code, detail: failure.detail, findings: [] };
}
