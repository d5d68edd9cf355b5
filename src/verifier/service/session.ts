import type { Rule } from "../../core/policy/policy.ts";
import type { Warn, Warning } from "../../core/warning.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { PrivateRegistry } from "../../io/registry/endpoints.ts";
import type { RequestCounts } from "./exchanges.ts";
import type { RequestLog } from "./request-log.ts";

/** What the caller provides to one verification, and how it is notified. */
export interface Session {
  readonly deadline: Deadline;
  /** Counts requests. */
  readonly requestCounts: RequestCounts;
  /** Records each request, for people who ask for that; absent: none is recorded. */
  readonly requestLog?: RequestLog;
  /** Absent: any. */
  readonly privateRegistry?: PrivateRegistry;
  /** The namespace whose images these are: each has its share of the requests to hosts that images name. Absent: not known. */
  readonly asker?: string | undefined;
  /** Milliseconds since 1970. */
  now(): number;
  /** Called once for each warning. */
  warn(warning: Warning): void;
  /** Called as soon as a rule is selected, so that an outside watchdog can enforce it if this process blocks. */
  ruleSelected(rule: Rule): void;
  /** Called before the network is used, which takes far longer than everything before. */
  beforeHeavyWork(): void;
}

/** The same session with another receiver of warnings. */
export function warningTo(warn: Warn, session: Session): Session {
  return {
    deadline: session.deadline,
    requestCounts: session.requestCounts,
    ...(session.requestLog && { requestLog: session.requestLog }),
    ...(session.privateRegistry && { privateRegistry: session.privateRegistry }),
    asker: session.asker,
    now: () => session.now(),
    warn,
    ruleSelected: (rule) => session.ruleSelected(rule),
    beforeHeavyWork: () => session.beforeHeavyWork(),
  };
}
