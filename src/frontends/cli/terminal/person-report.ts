import { printable } from "../../../core/encoding/printable.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import type { Environment } from "../../../io/process/environment.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { jsonText, reasonLine, reasonOf, reportedPlace, textReport } from "../../process/report.ts";
import { codeFrame } from "./code-frame.ts";
import { folded, painted, type Screen, screenOf } from "./screen.ts";

/**
 * How a command reports what ended it: as JSON, or as text for any other form. Unlike that of `verify`, this JSON has no
 * fields of a verdict.
 */
export function endingIn(form: string, environment: Environment): (answer: Answer) => string {
  return form === "json" ? jsonEnding : framedReport(screenOf(environment));
}

/**
 * For output that is quiet, or is pasted into another command: nothing on standard output, and the reason on standard error.
 */
export function endingSilently(lifecycle: Pick<ProcessLifecycle, "diagnose">): (answer: Answer) => string {
  return (answer) => {
    lifecycle.diagnose(reasonLine(answer).trimEnd());
    return "";
  };
}

/** The reason and the findings; for a mistake in a file, also its line with a caret. */
function framedReport(screen: Screen): (answer: Answer) => string {
  return (answer) => {
    const report = painted(folded(textReport(answer), screen), colourOf(answer), screen);
    return `${report}${"place" in answer ? codeFrame(answer.place, screen) : ""}`;
  };
}

function colourOf(answer: Answer): "green" | "yellow" | "red" {
  if (answer.outcome === "allow") return answer.because.kind === "audited" ? "yellow" : "green";
  return answer.outcome === "inconclusive" ? "yellow" : "red";
}

function jsonEnding(answer: Answer): string {
  const { outcome } = answer;
  const code = answer.outcome === "allow" ? answer.because.kind : answer.code;
  return jsonText({ outcome, code, reason: printable(reasonOf(answer)), ...reportedPlace(answer) });
}
