import type { Session } from "../../verifier/service/session.ts";
import type { ProcessLifecycle } from "./process-lifecycle.ts";

/**
 * A verification within this process's deadline. Its rule still decides between enforce and audit if the process must answer
 * before the verification does.
 *
 * @param beforeHeavyWork as in a {@link Session}
 */
export function sessionOf(lifecycle: ProcessLifecycle, beforeHeavyWork: () => void = () => {}): Session {
  return {
    deadline: lifecycle.deadline,
    requestCounts: lifecycle.requestCounts,
    now: () => Date.now(),
    warn: lifecycle.warnings.warn,
    ruleSelected: (rule) => {
      lifecycle.enforcement = { ...lifecycle.enforcement, rule };
    },
    beforeHeavyWork,
  };
}
