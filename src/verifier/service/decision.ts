import type { Evidence, Subject } from "../../core/evidence/evidence.ts";
import type { Decider } from "../../core/policy/policy.ts";
import type { Answer } from "../../core/verify/answer.ts";
import type { Warning } from "../../core/warning.ts";
import type { ExchangeCount } from "./exchanges.ts";

/** The answer to one question, and what any caller, log or report may want to say of it. */
export interface Decision {
  readonly answer: Answer;
  readonly subject: Subject;
  /** What of the policy decided, also where that asks for no signature; absent where the policy was not asked. */
  readonly rule?: Decider;
  /** Of the policy that was asked, or would have been ({@link TrustPolicy.hash}). */
  readonly policyHash: string;
  /** Whether the answer rests on cached evidence: within cacheTTL, or older because services were silent. */
  readonly cache: "none" | "fresh" | "stale";
  /**
   * Read when it is asked for: most callers need the answer alone. Absent where the verification ended before all was
   * gathered: no evidence at all would prove that nobody has signed.
   */
  readonly evidence?: () => Evidence;
  readonly timings: Timings;
  /** What the session was told of, in order. */
  readonly warnings: readonly Warning[];
  /** What was thrown, where the answer is internal.error. */
  readonly error?: Error;
}

/** How long a question took, and what each service was asked meanwhile, side by side; milliseconds. */
export interface Timings {
  readonly total: number;
  readonly services: ReadonlyMap<string, ExchangeCount>;
}
