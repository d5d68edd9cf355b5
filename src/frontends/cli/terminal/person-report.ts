import { printable } from "../../../core/encoding/printable.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { jsonReport, jsonText, reasonOf, reportedPlace, textReport } from "../../process/report.ts";
import { codeFrame } from "./code-frame.ts";
import { folded, painted, type Screen, screenOf } from "./screen.ts";

/**
 * How a command says to people or machines what ended it. At `verify`'s door the form for machines is that
 * of a verdict (jsonReport), here there is none to tell of.
 */
export function endingIn(form: "text" | "json", environment: Environment): (answer: Answer) => string {
  return form === "text" ? framedReport(screenOf(environment)) : jsonEnding;
}

/** As {@link endingIn}, of `verify`, as long as nothing is known of the image. */
export function endingOfVerify(form: "text" | "json", environment: Environment): (answer: Answer) => string {
  return form === "text" ? framedReport(screenOf(environment)) : (answer) => jsonReport(answer);
}

/** The reason and what was found; where a mistake in a file is the reason, its line and a caret below the place. */
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
