import { normaliseHandle } from "../../../core/atproto/handle.ts";
import { isDid } from "../../../core/atproto/syntax.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { normaliseReference } from "../../../core/oci/reference.ts";
import { reject } from "../../../core/rejection.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import {
  type Inspection,
  type InspectRequest,
  inspectImage,
  MAX_GIVEN,
} from "../../../verifier/inspect/inspect-image.ts";
import { strangersContext } from "../../../verifier/inspect/strangers-context.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { jsonText, reasonOf, reportedPlace } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { inspectionKeys } from "../inspect/inspection-json.ts";
import { inspectionLines } from "../inspect/inspection-text.ts";
import { folded, screenOf } from "../terminal/screen.ts";

/** Exit status where services did not answer, so that nothing about any signer is known. */
const NOTHING_KNOWN = 2;
const NOT_JUDGED = "not judged: what is known about the signatures of this image; no policy is used";

/** `atcr-verify inspect IMAGE`: who claims to have signed it, and what of that is proven. It judges nothing. */
export async function inspectCommand(
  { operands, options }: LineOf<"inspect">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [text] = operands;
  const { output, signer, config: path } = options;
  // A program must not find the keys of a verdict in any answer of this command.
  if (output === "json") lifecycle.render = notJudged;
  const request: InspectRequest = {
    name: normaliseReference(text),
    given: readSigners(signer),
  };
  const config = loadConfig(lifecycle.environment, path);
  lifecycle.setDeadline(config.deadline);
  if (config.offline)
    reject(
      "config.invalid",
      "the configuration says offline: true, and inspect asks the network; run it on another machine, or see what was imported: atcr-verify bundle list",
    );
  const context = strangersContext(config, lifecycle.environment, sessionOf(lifecycle));
  const found = await inspectImage(request, context);
  const status = isNothingKnown(found) ? NOTHING_KNOWN : 0;
  if (output === "json") lifecycle.print(jsonText(inspectionKeys(found)), status);
  const screen = screenOf(lifecycle.environment);
  lifecycle.print([folded(NOT_JUDGED, screen), ...inspectionLines(found, screen.width), ""].join("\n"), status);
}

/** @throws Rejection input.malformed */
function readSigners(texts: readonly string[]): InspectRequest["given"] {
  if (texts.length > MAX_GIVEN)
    reject("input.malformed", `found ${texts.length} --signer, expected at most ${MAX_GIVEN}`);
  return texts.map((text) => {
    if (isDid(text)) return text;
    const expected = "a DID or a handle such as alice.example.com";
    return normaliseHandle(text) ?? reject("input.malformed", `--signer is "${text}", expected ${expected}`);
  });
}

/** Whether silence alone is the reason that nothing can be shown: a "no" of every service is something. */
function isNothingKnown({ signers, gaps, unresolved, owner, unknown }: Inspection): boolean {
  if (signers.some(({ found }) => found?.identity !== undefined)) return false;
  const isSilent = [...unknown, ...(owner === undefined ? [] : [owner])].some((handle) => "missing" in handle);
  return signers.length > 0 || gaps.length > 0 || unresolved !== undefined || isSilent;
}

function notJudged(answer: Answer): string {
  const code = answer.outcome === "allow" ? answer.because.kind : answer.code;
  return jsonText({ judged: false, code, reason: printable(reasonOf(answer)), ...reportedPlace(answer) });
}
