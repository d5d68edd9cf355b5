import type { Evidence } from "../../core/evidence/evidence.ts";
import { savedSteps } from "../../core/verify/judge-saved-evidence.ts";
import type { Question } from "../../core/verify/question.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import { UnavailableError } from "../collect/context.ts";
import { inSteps } from "../collect/replay.ts";
import type { Session } from "./session.ts";

/** Judges saved evidence within the deadline, like a pull: it may contain costly logs. */
export async function judgeSaved(question: Question, saved: Evidence, session: Session): Promise<Verdict> {
  const { deadline } = session;
  try {
    const steps = savedSteps(question, saved, session.now());
    return await deadline.track("the saved evidence", () => inSteps(steps, "all of the saved evidence", { deadline }));
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return { outcome: "inconclusive", code: error.code, detail: error.message, findings: [] };
  }
}
