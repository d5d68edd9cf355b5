import { accessSync, constants, createReadStream, lstatSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { printable } from "../../../core/encoding/printable.ts";
import { parseDateTime } from "../../../core/encoding/time.ts";
import { readBundle, writeBundle } from "../../../core/evidence/bundle.ts";
import type { Subject } from "../../../core/evidence/evidence.ts";
import { type ImageReference, normaliseReference } from "../../../core/oci/reference.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { isImageType } from "../../../core/verify/check-facts.ts";
import { oncePerPath } from "../../../io/fs/local-file.ts";
import { readAtMost } from "../../../io/fs/read-at-most.ts";
import { replaceFile } from "../../../io/fs/replace-file.ts";
import { loadConfig, loadPolicy, loadPolicyFiles } from "../../../io/settings/load-settings.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import { Verifier } from "../../../verifier/service/verifier.ts";
import { exitCode } from "../../process/exit-status.ts";
import { INTERNAL, type ProcessEdge } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { jsonReport } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";

/** Cap on a saved bundle: more than all bodies of a gathering whose every answer is as long as it may be. */
const MAX_BUNDLE = 256 * 1024 * 1024;

/**
 * `atcr-verify verify NAME@DIGEST`: the same decision as at a pull, for people and pipelines. An image that nodes let
 * through only because its rule audits is no success here, unless the caller asks for that.
 */
export async function verifyCommand({ operands, options }: LineOf<"verify">, edge: ProcessEdge): Promise<never> {
  edge.mustBeWritten = true;
  const [text] = operands;
  const subject = readSubject(text, options["media-type"]);
  if (options.output === "json") {
    edge.render = (answer) => {
      const { decision, enforcement, warnings } = edge;
      const rule = decision?.rule ?? enforcement.rule;
      return jsonReport(answer, { subject, rule, decision, warnings: warnings.all });
    };
  }
  if (!options["allow-audited"]) refuseAudited(edge);

  const distrust = oncePerPath((why) => warnOfNamed(why, edge));
  const config = loadConfig(edge.environment, options.config, distrust);
  edge.setDeadline(config.deadline);
  const { policy: named, bundle: bundlePath, "save-evidence": target } = options;
  const policy = named === undefined ? loadPolicy(config.trustPolicyPath) : loadPolicyFiles(named, distrust).policy;
  const { environment } = edge;
  const settings = { config: options["no-cache"] ? { ...config, cacheEnabled: false } : config, policy, environment };
  // containerd may pass one that says neither; a person who does has most likely mistyped it.
  if (subject.mediaType !== undefined && !isImageType(subject.mediaType)) {
    const message = `--media-type "${subject.mediaType}" is neither a manifest's nor an index's, so the record is not compared with it`;
    edge.warnings.warn({ code: "input.unknown_media_type", message });
  }
  if (options.offline) {
    if (bundlePath === undefined) reject("input.malformed", "--offline needs --bundle FILE, the evidence to judge");
    if (target !== undefined) reject("input.malformed", "--save-evidence does not go with --offline");
    const now = readTime(options.at);
    const saved = readBundle(await edge.deadline.track(`the bundle ${bundlePath}`, () => readInput(bundlePath)));
    const verifier = new Verifier({ ...settings, saved });
    edge.conclude(await verifier.verify(subject, { ...sessionOf(edge), now: () => now }));
  }
  for (const option of ["bundle", "at"] as const) {
    if (options[option] !== undefined) reject("input.malformed", `--${option} goes with --offline only`);
  }
  if (target !== undefined) checkTarget(target);
  const verifier = new Verifier(settings);
  edge.atEnd(() => verifier.close());
  const decision = await verifier.verify(subject, sessionOf(edge));
  if (target !== undefined) save(target, subject, decision, edge);
  edge.conclude(decision);
}

function readSubject(text: string, mediaType: string | undefined): Subject {
  const name: ImageReference = normaliseReference(text);
  if (name.digest === undefined) {
    reject(
      "input.malformed",
      `"${text}" has no digest, and a tag is not resolved here; write NAME@sha256:DIGEST, with the digest that "crane digest NAME", "oras resolve NAME" or "skopeo inspect docker://NAME" prints`,
    );
  }
  // Here the digest must be written; a tag beside it is that by which containerd would have found it.
  const { tag } = name;
  return {
    name,
    digest: name.digest,
    ...(tag !== undefined && { tag }),
    ...(mediaType !== undefined && { mediaType }),
  };
}

function readTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const expected = "a time such as 2026-01-31T12:00:00Z";
  return parseDateTime(text) ?? reject("input.malformed", `--at is "${text}", expected ${expected}`);
}

/** Not at once: a named pipe may have no writer, and then the deadline must still be kept. */
async function readInput(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readAtMost(createReadStream(path), MAX_BUNDLE);
  } catch (error) {
    reject("bundle.malformed", `the bundle ${path} cannot be read: ${(error as Error).message}`, error);
  }
  return bytes ?? reject("bundle.malformed", `the bundle ${path} has more than ${MAX_BUNDLE} bytes`);
}

/** Gives an audited refusal the exit status of the refusal, and says so: pipelines go on where a command ends with 0. */
function refuseAudited(edge: ProcessEdge): void {
  edge.status = (answer) => {
    if (answer.outcome !== "allow" || answer.because.kind !== "audited") return exitCode(answer);
    const status = exitCode(answer.because.would);
    edge.diagnose(
      `exit status ${status}: nodes let this image through only because its rule audits; with --allow-audited the exit status is 0`,
    );
    return status;
  };
}

/** A file that the caller names is used although others can change it: a pipeline's checkout often is like that (decision 0038). */
function warnOfNamed(why: string, edge: ProcessEdge): void {
  const message = `${why}; it is used because it was named here, a pull would refuse it`;
  edge.warnings.warn({ code: "settings.distrusted", message });
}

/**
 * Checks where evidence is to be saved before anything is asked.
 *
 * @throws Rejection input.malformed
 */
function checkTarget(path: string): void {
  try {
    // What is renamed over is gone: that must not happen to /dev/null.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      reject("input.malformed", `--save-evidence ${path}: it is there and no regular file`);
    }
    accessSync(dirname(resolve(path)), constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    reject("input.malformed", `--save-evidence ${path}: ${(error as Error).message}`, error);
  }
}

/** Saves evidence, whole or not at all. Where that fails the verdict is still told, but the command is no success. */
function save(path: string, { digest }: Subject, { evidence }: Decision, edge: ProcessEdge): void {
  try {
    if (evidence === undefined) throw new Error("the verification ended before all of it was gathered");
    replaceFile(path, writeBundle({ digest, evidence: evidence() }));
  } catch (error) {
    edge.diagnose(printable(`the evidence was not saved to ${path}: ${(error as Error).message}`));
    const { status } = edge;
    edge.status = (answer) => status(answer) || INTERNAL;
  }
}
