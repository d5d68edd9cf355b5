import type { Rule } from "../../core/policy/policy.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { Exchanges } from "./exchanges.ts";

/** What one verification is given by its caller, and tells it on the way. */
export interface Session {
  readonly deadline: Deadline;
  /** Counts what the network is asked. */
  readonly exchanges: Exchanges;
  /** Milliseconds since 1970. */
  now(): number;
  /** @param warning a sentence; may repeat attacker-controlled text */
  warn(warning: string): void;
  /** Called as soon as a rule is selected, so that a watchdog outside can enforce it where this process is blocked. */
  ruleSelected(rule: Rule): void;
  /** Called before the network is used, which takes far longer than all that comes before it. */
  beforeHeavyWork(): void;
}
