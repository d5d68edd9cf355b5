import type { Deadline } from "../net/deadline.ts";
import type { Exchanges } from "../net/exchanges.ts";
import type { Rule } from "../policy/policy.ts";

/** What a verification needs of the process in which it runs. */
export interface HostProcess {
  readonly deadline: Deadline;
  /** Counts what the network is asked. */
  readonly exchanges: Exchanges;
  /** The rule that applies, once it is known: an audited pull is let through also when time is over. */
  rule: Rule | undefined;
  /** @param warning a sentence; may repeat attacker-controlled text */
  warn(warning: string): void;
  /** Registers what has to be done before the process ends; it must not throw. */
  atEnd(ending: () => void): void;
}
