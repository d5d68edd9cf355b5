import type { Answer } from "../../../core/verify/answer.ts";
import type { Environment } from "../../../io/process/environment.ts";
import type { VerifyFormat } from "../command-table/verify-options.ts";
import { screenOf } from "../terminal/screen.ts";
import { type Report, statusOf } from "./image-result.ts";
import { githubReport } from "./report-github.ts";
import { jsonReport, ndjsonReport, pinned } from "./report-json.ts";
import { junitReport } from "./report-junit.ts";
import { markdownReport } from "./report-markdown.ts";
import { textReportFor } from "./report-text.ts";

/** The report in an output format. An unknown format is an error of the command line, which is printed as text. */
export function reportIn(format: string, environment: Environment): Report {
  const reports: Readonly<Record<VerifyFormat, Report>> = {
    text: textReportFor(screenOf(environment), Date.now()),
    json: jsonReport,
    ndjson: ndjsonReport,
    ref: refReport,
    junit: junitReport,
    github: githubReport,
    markdown: markdownReport,
  };
  return Object.hasOwn(reports, format) ? reports[format as VerifyFormat] : reports.text;
}

/** How `verify` reports what ended it before it knew which images were asked for. */
export function endingBeforeImages(format: string, environment: Environment): (ended: Answer) => string {
  const nothing = { isList: false, signers: [], found: [], allowAudited: false, verbose: false, warnings: [] };
  return (ended) => reportIn(format, environment)([], { ...nothing, ended, status: statusOf(ended, false) });
}

/**
 * NAME@DIGEST of each image, for `docker pull "$(atcr-verify --output ref IMAGE)"`. Nothing unless every image is allowed:
 * a list that lacks some would be taken for the whole. The reasons of refusals go to standard error.
 */
export const refReport: Report = (results, { status, ended }) =>
  status === 0 && ended === undefined ? results.map((result) => `${pinned(result) ?? ""}\n`).join("") : "";
