import type { Evidence, Subject } from "../../core/evidence/evidence.ts";
import type { Decider } from "../../core/policy/policy.ts";
import type { Answer } from "../../core/verify/answer.ts";
import type { Warning } from "../../core/warning.ts";
import type { RequestCount } from "./exchanges.ts";

/** The result of one verification, with all that callers, logs and reports need. */
export interface Decision {
  readonly answer: Answer;
  readonly subject: Subject;
  /** The part of the policy that decided, also one that requires no signature; absent where the policy was not consulted. */
  readonly rule?: Decider;
  /** Of the loaded policy, whether or not it was consulted ({@link TrustPolicy.hash}). */
  readonly policyHash: string;
  /**
   * Evidence used that was not fetched now: none; fresh, from the cache within cacheTTL; stale, from the cache because a
   * service could not be reached; or bundle, from outside.
   */
  readonly cache: "none" | "fresh" | "stale" | "bundle";
  /**
   * Read lazily: most callers need only the answer. Absent where the verification ended before all was gathered: an
   * empty list would look like proof that nobody signed.
   */
  readonly evidence?: () => Evidence;
  readonly timings: Timings;
  /** All warnings, in order. */
  readonly warnings: readonly Warning[];
  /** The error behind internal.error. */
  readonly error?: Error;
}

/** Milliseconds that a verification took, and the requests to each service, which run in parallel. */
export interface Timings {
  readonly total: number;
  readonly services: ReadonlyMap<string, RequestCount>;
}
