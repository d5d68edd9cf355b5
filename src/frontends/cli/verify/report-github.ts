import { printable, withoutCommands } from "../../../core/encoding/printable.ts";
import { amount } from "../../process/report.ts";
import {
  auditedRefusal,
  codeOf,
  headlineOf,
  type ImageResult,
  indexNotes,
  isVerified,
  nameOf,
  type Report,
} from "./image-result.ts";

/** GitHub shows this many annotations of a kind for a step, and drops the others silently. */
const MAX_ANNOTATIONS = 10;
/** Characters of an annotation's message; GitHub cuts longer ones. */
const MAX_MESSAGE = 4000;

/**
 * Annotations for a workflow of GitHub: an error for each image that is refused, a warning for each that is allowed without a
 * signature, or whose image for --platform is not verified. The report itself is written to the step's summary (github-files.ts).
 */
export const githubReport: Report = (results, { ended, status }) => {
  const errors = results.filter((result) => result.status !== 0).map((result) => annotation("error", result));
  const warnings = results
    .filter((result) => result.status === 0 && isUnsigned(result))
    .map((result) => annotation("warning", result));
  const end = ended === undefined ? [] : [`::error title=atcr-verify::${message(headlineOf(ended))}`];
  const allowed = results.filter((result) => result.status === 0).length;
  const total = `${allowed} of ${amount(results.length, "image")} allowed; exit status ${status}`;
  return `${[...limited(end.concat(errors), "error"), ...limited(warnings, "warning"), total].join("\n")}\n`;
};

function isUnsigned(result: ImageResult): boolean {
  const { platformImage } = result;
  return !isVerified(result) || (platformImage !== undefined && !isVerified(platformImage));
}

function annotation(kind: "error" | "warning", result: ImageResult): string {
  const { answer, requested } = result;
  const [place] = requested.places ?? [];
  const { code } = auditedRefusal(answer) ?? { code: codeOf(answer) };
  const text = [`${nameOf(result)}: ${headlineOf(answer)}`, ...indexNotes(result)].join("; ");
  const properties = [
    ...(place === undefined ? [] : [`file=${property(place.file)}`, `line=${place.line}`]),
    `title=${property(`atcr-verify ${code}`)}`,
  ];
  return `::${kind} ${properties.join(",")}::${message(text)}`;
}

/** The last one says how many are not shown. */
function limited(lines: readonly string[], kind: "error" | "warning"): readonly string[] {
  if (lines.length <= MAX_ANNOTATIONS) return lines;
  const shown = lines.slice(0, MAX_ANNOTATIONS - 1);
  return [...shown, `::${kind} title=atcr-verify::${lines.length - shown.length} more; see the summary of this step`];
}

/** Text of others as the message of a workflow command: printable, so no line break, and `%` escaped. */
function message(foreign: string): string {
  return withoutCommands(printable(foreign)).slice(0, MAX_MESSAGE).replaceAll("%", "%25");
}

/** The same as a property, which ends at a comma and a colon. */
function property(foreign: string): string {
  return message(foreign).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
