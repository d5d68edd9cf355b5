import { printable } from "../../../core/encoding/printable.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { jsonReport, jsonText, reasonOf, reportedPlace, textReport } from "../../process/report.ts";
import { codeFrame } from "./code-frame.ts";
import { folded, painted, type Screen, screenOf } from "./screen.ts";

/**
 * How a command reports what ended it, as text or JSON. Unlike that of `verify` (jsonReport), this JSON has no fields
 * of a verdict.
 */
export function endingIn(form: "text" | "json", environment: Environment): (answer: Answer) => string {
  return form === "text" ? framedReport(screenOf(environment)) : jsonEnding;
}

/** As {@link endingIn}, for `verify` while nothing is known of the image. */
export function endingOfVerify(form: "text" | "json", environment: Environment): (answer: Answer) => string {
  return form === "text" ? framedReport(screenOf(environment)) : (answer) => jsonReport(answer);
}

/** The reason and the findings; for a mistake in a file, also its line with a caret. */
function framedReport(screen: Screen): (answer: Answer) => string {
  return (answer) => {
    const report = painted(folded(textReport(answer), screen), colourOf(answer), screen);
    return `${report}${"place" in answer ? codeFrame(answer.place) : ""}`;
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
