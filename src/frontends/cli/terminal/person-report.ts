import { printable } from "../../../core/encoding/printable.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import { jsonReport, jsonText, reasonOf, reportedPlace, textReport } from "../../process/report.ts";
import { codeFrame } from "./code-frame.ts";

/**
 * How a command says to people or machines what ended it. At `verify`'s door the form for machines is that
 * of a verdict (jsonReport), here there is none to tell of.
 */
export function endingIn(form: "text" | "json"): (answer: Answer) => string {
  return form === "text" ? framedReport : jsonEnding;
}

/** As {@link endingIn}, of `verify`, as long as nothing is known of the image. */
export function endingOfVerify(form: "text" | "json"): (answer: Answer) => string {
  return form === "text" ? framedReport : (answer) => jsonReport(answer);
}

/** The reason and what was found; where a mistake in a file is the reason, its line and a caret below the place. */
function framedReport(answer: Answer): string {
  return `${textReport(answer)}${"place" in answer ? codeFrame(answer.place) : ""}`;
}

function jsonEnding(answer: Answer): string {
  const { outcome } = answer;
  const code = answer.outcome === "allow" ? answer.because.kind : answer.code;
  return jsonText({ outcome, code, reason: printable(reasonOf(answer)), ...reportedPlace(answer) });
}
