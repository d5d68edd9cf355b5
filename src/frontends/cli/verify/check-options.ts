import { parseDateTime } from "../../../core/encoding/time.ts";
import { reject } from "../../../core/rejection.ts";
import { isImageType } from "../../../core/verify/check-facts.ts";
import type { Warn } from "../../../core/warning.ts";
import type { LineOf } from "../command-table/command-groups.ts";

/**
 * Checks which options of `verify` go together.
 *
 * @param isList whether there are several images, or a file of them
 * @throws Rejection input.malformed
 */
export function checkOptions(options: LineOf<"verify">["options"], isList: boolean, warn: Warn): void {
  const {
    quiet,
    output,
    verbose,
    offline,
    signer,
    bundle,
    at,
    platform,
    "save-evidence": target,
    "media-type": type,
  } = options;
  if (quiet && (output !== "text" || verbose)) {
    reject(
      "input.malformed",
      `--quiet prints nothing, so it cannot be combined with ${verbose ? "--verbose" : "--output"}`,
    );
  }
  if (offline) {
    if (bundle === undefined) reject("input.malformed", "--offline needs --bundle FILE, the evidence to judge");
    if (target !== undefined) reject("input.malformed", "--save-evidence cannot be combined with --offline");
    if (signer.length > 0) {
      const advice = "name a policy instead, whose rule says for how long evidence from bundles counts (offlineFor)";
      reject("input.malformed", `--signer cannot be combined with --offline; ${advice}`);
    }
    if (platform !== undefined)
      reject("input.malformed", "--platform cannot be combined with --offline: the registry has the index");
  } else {
    if (bundle !== undefined) reject("input.malformed", "--bundle needs --offline");
    if (at !== undefined) reject("input.malformed", "--at needs --offline");
  }
  if (isList && (target !== undefined || type !== undefined)) {
    reject("input.malformed", `--${target === undefined ? "media-type" : "save-evidence"} is for one image only`);
  }
  // containerd may pass another type; a person has most likely mistyped it.
  if (type !== undefined && !isImageType(type)) {
    const message = `--media-type "${type}" is not the type of a manifest or an index, so it is not compared with the record`;
    warn({ code: "input.unknown_media_type", message });
  }
}

/**
 * The time as of which saved evidence is verified.
 *
 * @returns milliseconds since 1970
 * @throws Rejection input.malformed
 */
export function readTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const expected = "a date and time such as 2026-01-31T12:00:00Z";
  return parseDateTime(text) ?? reject("input.malformed", `--at is "${text}", expected ${expected}`);
}
