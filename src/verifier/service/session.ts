import type { Rule } from "../../core/policy/policy.ts";
import type { Warn, Warning } from "../../core/warning.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { Exchanges } from "./exchanges.ts";

/** What one verification is given by its caller, and tells it on the way. */
export interface Session {
  readonly deadline: Deadline;
  /** Counts what the network is asked. */
  readonly exchanges: Exchanges;
  /** Milliseconds since 1970. */
  now(): number;
  /** Told each warning once. */
  warn(warning: Warning): void;
  /** Called as soon as a rule is selected, so that a watchdog outside can enforce it where this process is blocked. */
  ruleSelected(rule: Rule): void;
  /** Called before the network is used, which takes far longer than all that comes before it. */
  beforeHeavyWork(): void;
}

/** The same session, with warnings going elsewhere. */
export function warningTo(warn: Warn, session: Session): Session {
  return {
    deadline: session.deadline,
    exchanges: session.exchanges,
    now: () => session.now(),
    warn,
    ruleSelected: (rule) => session.ruleSelected(rule),
    beforeHeavyWork: () => session.beforeHeavyWork(),
  };
}
