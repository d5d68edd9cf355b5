import type { Session } from "../../verifier/service/session.ts";
import type { ProcessEdge } from "./process-lifecycle.ts";

/**
 * A verification within this process's deadline. Its rule still decides between enforce and audit if the process must answer
 * before the verification does.
 *
 * @param beforeHeavyWork as in a {@link Session}
 */
export function sessionOf(edge: ProcessEdge, beforeHeavyWork: () => void = () => {}): Session {
  return {
    deadline: edge.deadline,
    exchanges: edge.exchanges,
    now: () => Date.now(),
    warn: edge.warnings.warn,
    ruleSelected: (rule) => {
      edge.enforcement = { ...edge.enforcement, rule };
    },
    beforeHeavyWork,
  };
}
