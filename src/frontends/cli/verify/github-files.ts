import { appendFileSync } from "node:fs";
import { printable } from "../../../core/encoding/printable.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { type ImageResult, isVerified, type Summary } from "./image-result.ts";
import { markdownReport } from "./report-markdown.ts";
import { refReport } from "./reports.ts";

/** No image name contains it, so none can end the list of references early. */
const END_OF_LIST = "END-OF-REFERENCES";

/**
 * Reports to a step of a GitHub workflow through the files that its environment names: the summary as Markdown, and the
 * outputs `status`, `verified` and `references` (NAME@DIGEST, one a line; empty unless every image is allowed).
 *
 * @returns why a file could not be written; undefined where all went well, or outside of a workflow
 */
export function reportToGithub(
  results: readonly ImageResult[],
  summary: Summary,
  { GITHUB_STEP_SUMMARY, GITHUB_OUTPUT }: Environment,
): string | undefined {
  const verified = results.length > 0 && results.every(isVerified);
  const references = `references<<${END_OF_LIST}\n${refReport(results, summary)}${END_OF_LIST}\n`;
  try {
    if (GITHUB_STEP_SUMMARY) appendFileSync(GITHUB_STEP_SUMMARY, markdownReport(results, summary));
    if (GITHUB_OUTPUT) appendFileSync(GITHUB_OUTPUT, `status=${summary.status}\nverified=${verified}\n${references}`);
    return undefined;
  } catch (error) {
    return printable(`the report to GitHub could not be written: ${(error as Error).message}`);
  }
}
