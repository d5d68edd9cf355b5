import type { ImageResult, Summary } from "./image-result.ts";
import { ndjsonReport } from "./report-json.ts";

/** Not written yet: the results as JSON lines. */
export function junitReport(results: readonly ImageResult[], summary: Summary): string {
  return ndjsonReport(results, summary);
}
