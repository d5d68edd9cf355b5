import type { Report } from "./image-result.ts";
import { pinned } from "./report-json.ts";

/**
 * NAME@DIGEST of each image, for `docker pull "$(atcr-verify --output ref IMAGE)"`. Nothing unless every image is allowed:
 * a list that lacks some would be taken for the whole. The reasons of refusals go to standard error.
 */
export const refReport: Report = (results, { status, ended }) =>
  status === 0 && ended === undefined ? results.map((result) => `${pinned(result) ?? ""}\n`).join("") : "";
