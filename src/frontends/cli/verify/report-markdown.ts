import { printable, withoutCommands } from "../../../core/encoding/printable.ts";
import { amount } from "../../process/report.ts";
import { adviceFor } from "./advice.ts";
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
import { signaturesOf } from "./report-json.ts";

/** Characters; GitHub drops a step's summary of more than 1 MiB. */
const MAX_TEXT = 900_000;

/** A heading with the result, a table of the images, and for each refusal its reason, folded away. */
export const markdownReport: Report = (results, summary) => {
  const { ended, status } = summary;
  const allowed = results.filter((result) => result.status === 0).length;
  const outcome = status === 0 ? "passed" : "failed";
  const heading = `### atcr-verify ${outcome}: ${allowed} of ${amount(results.length, "image")} allowed\n`;
  const why = ended === undefined ? "" : `\n${code(headlineOf(ended))}\n`;
  const rows = results.flatMap(rowsOf);
  const table = rows.length === 0 ? "" : "\n| result | image | signed by | rule |\n| --- | --- | --- | --- |\n";
  const details = results.filter((result) => result.status !== 0).map(detailsOf);
  return `${heading}${why}${within(table, rows)}${within("\n", details)}`;
};

/** As many lines as fit, and how many were left out. */
function within(head: string, lines: readonly string[]): string {
  let text = head;
  for (const [i, line] of lines.entries()) {
    if (text.length + line.length > MAX_TEXT / 2) return `${text}\n${lines.length - i} more are not shown here.\n`;
    text += line;
  }
  return lines.length === 0 ? "" : text;
}

/** The image of a platform has a row below its index, which is what counts. */
function rowsOf(result: ImageResult): readonly string[] {
  const { platformImage } = result;
  if (platformImage === undefined) return [rowOf(result, nameOf(result))];
  return [rowOf(result, nameOf(result)), rowOf(platformImage, `${platformImage.platform}: ${nameOf(platformImage)}`)];
}

function rowOf(result: ImageResult, name: string): string {
  const { answer, decision, status } = result;
  const signers = signaturesOf(result).map(
    ({ signerName, handles: [handle], signer }) => signerName ?? handle ?? signer,
  );
  const { code: why } = auditedRefusal(answer) ?? { code: codeOf(answer) };
  const verdict = status === 0 ? (isVerified(result) ? "verified" : `allowed, not verified (${why})`) : why;
  const cells = [code(verdict), code(name), signers.map(code).join(", "), code(decision?.rule?.name ?? "")];
  return `| ${cells.join(" | ")} |\n`;
}

function detailsOf(result: ImageResult): string {
  const { answer, requested } = result;
  const reason = headlineOf(answer);
  const lines = [
    code(reason),
    ...indexNotes(result).map(code),
    ...(requested.places ?? []).map(({ file, line }) => `named in ${code(`${file}:${line}`)}`),
    ...adviceFor(result).map((advice) => `do: ${code(advice)}`),
  ];
  return `<details><summary>${html(nameOf(result))}</summary>\n\n${lines.map((line) => `- ${line}\n`).join("")}\n</details>\n`;
}

/** Text of others as a code span, in which nothing has a meaning; a table cell ends at `|` even there. */
function code(foreign: string): string {
  const safe = withoutCommands(printable(foreign)).replaceAll("`", "'").replaceAll("|", "\\|");
  return safe === "" ? "" : `\`${safe}\``;
}

/** Text of others inside an HTML element. */
function html(foreign: string): string {
  const escaped: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return `<code>${withoutCommands(printable(foreign)).replace(/[&<>]/g, (character) => escaped[character] ?? "")}</code>`;
}
