import { accessSync, constants, lstatSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { printable } from "../../../core/encoding/printable.ts";
import { parseDateTime } from "../../../core/encoding/time.ts";
import { bundleSince, readBundle, writeBundle } from "../../../core/evidence/bundle.ts";
import { checkSeal } from "../../../core/evidence/bundle-seal.ts";
import type { Subject } from "../../../core/evidence/evidence.ts";
import { formatReference, type ImageReference, normaliseReference } from "../../../core/oci/reference.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { isImageType } from "../../../core/verify/check-facts.ts";
import { oncePerPath } from "../../../io/fs/local-file.ts";
import { replaceFile } from "../../../io/fs/replace-file.ts";
import { loadConfig, loadPolicy, loadPolicyFiles } from "../../../io/settings/load-settings.ts";
import { readBundleFile } from "../../../io/store/bundle-file.ts";
import { readBundleKeys } from "../../../io/store/seal-key-files.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import { Verifier } from "../../../verifier/service/verifier.ts";
import { exitCode } from "../../process/exit-status.ts";
import { INTERNAL, type ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { jsonReport } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";

/**
 * `atcr-verify verify NAME@DIGEST`: the same decision as at a pull, for people and pipelines. An image that is allowed only
 * because its rule audits is a failure here, unless the caller asks otherwise.
 */
export async function verifyCommand(
  { operands, options }: LineOf<"verify">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.mustBeWritten = true;
  const [text] = operands;
  const subject = readSubject(text, options["media-type"]);
  if (options.output === "json") {
    lifecycle.render = (answer) => {
      const { decision, enforcement, warnings } = lifecycle;
      const rule = decision?.rule ?? enforcement.rule;
      return jsonReport(answer, { subject, rule, decision, warnings: warnings.all });
    };
  }
  if (!options["allow-audited"]) refuseAudited(lifecycle);

  const onUntrusted = oncePerPath((why) => warnOfNamed(why, lifecycle));
  const config = loadConfig(lifecycle.environment, options.config, onUntrusted);
  lifecycle.setDeadline(config.deadline);
  const { policy: named, bundle: bundlePath, "save-evidence": target } = options;
  const policy = named === undefined ? loadPolicy(config.trustPolicyPath) : loadPolicyFiles(named, onUntrusted).policy;
  const { environment } = lifecycle;
  const settings = { config: options["no-cache"] ? { ...config, cacheEnabled: false } : config, policy, environment };
  // containerd may pass another type; a person has most likely mistyped it.
  if (subject.mediaType !== undefined && !isImageType(subject.mediaType)) {
    const message = `--media-type "${subject.mediaType}" is not the type of a manifest or an index, so it is not compared with the record`;
    lifecycle.warnings.warn({ code: "input.unknown_media_type", message });
  }
  if (options.offline) {
    if (bundlePath === undefined) reject("input.malformed", "--offline needs --bundle FILE, the evidence to judge");
    if (target !== undefined) reject("input.malformed", "--save-evidence cannot be combined with --offline");
    const now = readTime(options.at);
    const bytes = await lifecycle.deadline.track(`the bundle ${bundlePath}`, () => readBundleFile(bundlePath));
    const { bundle: saved, seal } = readBundle(bytes);
    if (seal !== undefined) checkSeal(seal, readBundleKeys(config.bundleKeys));
    const verifier = new Verifier({ ...settings, saved });
    lifecycle.conclude(await verifier.verify(subject, { ...sessionOf(lifecycle), now: () => now }));
  }
  for (const option of ["bundle", "at"] as const) {
    if (options[option] !== undefined) reject("input.malformed", `--${option} needs --offline`);
  }
  if (target !== undefined) checkTarget(target);
  const verifier = new Verifier(settings);
  lifecycle.atEnd(() => verifier.close());
  const startedAt = Date.now();
  const decision = await verifier.verify(subject, sessionOf(lifecycle));
  if (target !== undefined) save(target, startedAt, decision, lifecycle);
  lifecycle.conclude(decision);
}

function readSubject(text: string, mediaType: string | undefined): Subject {
  const name: ImageReference = normaliseReference(text);
  if (name.digest === undefined) {
    reject(
      "input.malformed",
      `"${text}" has no digest, and a tag is not resolved here; write NAME@sha256:DIGEST, with the digest that "crane digest NAME", "oras resolve NAME" or "skopeo inspect docker://NAME" prints`,
    );
  }
  // The name must have a digest; a tag beside it is taken as the tag that containerd would have pulled.
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
  const expected = "a date and time such as 2026-01-31T12:00:00Z";
  return parseDateTime(text) ?? reject("input.malformed", `--at is "${text}", expected ${expected}`);
}

/** Gives an audited refusal the exit status of the refusal, and says so: a pipeline continues after status 0. */
function refuseAudited(lifecycle: ProcessLifecycle): void {
  lifecycle.status = (answer) => {
    if (answer.outcome !== "allow" || answer.because.kind !== "audited") return exitCode(answer);
    const status = exitCode(answer.because.would);
    lifecycle.diagnose(
      `exit status ${status}: nodes allow this image only because its rule audits; with --allow-audited the exit status is 0`,
    );
    return status;
  };
}

/** A file named on the command line is used even if others can change it, as in many pipelines' checkouts (decision 0038). */
function warnOfNamed(why: string, lifecycle: ProcessLifecycle): void {
  const message = `${why}; it is used because it was named on the command line, but a pull would refuse it`;
  lifecycle.warnings.warn({ code: "settings.distrusted", message });
}

/**
 * Checks the file for the evidence before the network is used.
 *
 * @throws Rejection input.malformed
 */
function checkTarget(path: string): void {
  try {
    // The rename would replace it: that must not happen to /dev/null.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      reject("input.malformed", `--save-evidence ${path}: it exists and is not a regular file`);
    }
    accessSync(dirname(resolve(path)), constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    reject("input.malformed", `--save-evidence ${path}: ${(error as Error).message}`, error);
  }
}

/** Saves evidence, whole or not at all. If that fails, the verdict is still printed, but the command fails. */
function save(path: string, startedAt: number, { subject, evidence }: Decision, lifecycle: ProcessLifecycle): void {
  try {
    if (evidence === undefined) throw new Error("the verification ended before all evidence was gathered");
    const { host, writtenHost, path: repository, tag } = subject.name;
    const name = formatReference({ host, ...(writtenHost && { writtenHost }), path: repository, ...(tag && { tag }) });
    const image = { digest: subject.digest, names: [name], evidence: evidence() };
    replaceFile(path, writeBundle(bundleSince(startedAt, [image])));
  } catch (error) {
    lifecycle.diagnose(printable(`the evidence was not saved to ${path}: ${(error as Error).message}`));
    const { status } = lifecycle;
    lifecycle.status = (answer) => status(answer) || INTERNAL;
  }
}
