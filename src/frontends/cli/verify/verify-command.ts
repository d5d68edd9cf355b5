import type { Config } from "../../../core/config/config.ts";
import { parsePlatform } from "../../../core/oci/image-platform.ts";
import { trustOnly } from "../../../core/policy/named-signers.ts";
import { reject } from "../../../core/rejection.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import { oncePerPath } from "../../../io/fs/local-file.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { Verifier } from "../../../verifier/service/verifier.ts";
import { exitCode } from "../../process/exit-status.ts";
import { INTERNAL, type ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { reasonLine } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { checkTarget, readSavedEvidence, saveEvidence } from "./bundle-files.ts";
import { checkOptions, readTime } from "./check-options.ts";
import { type ChosenPolicy, choosePolicy } from "./choose-policy.ts";
import { reportToGithub } from "./github-files.ts";
import { readNamedImages } from "./image-files.ts";
import { headlineOf, type ImageResult, type Summary, statusOf, statusOfAll } from "./image-result.ts";
import { reportIn } from "./reports.ts";
import { type RunSettings, VerifyRun } from "./verify-run.ts";

/** Milliseconds for several images; each has a pull's deadline besides. */
const COMMAND_TIMEOUT = 3_600_000;

type Line = LineOf<"verify">;
type Options = Line["options"];

/**
 * `atcr-verify IMAGE...`: the same decision as at a pull, for people and pipelines. An image that is allowed only because its
 * rule audits is a failure here, unless the caller asks otherwise.
 */
export async function verifyCommand(
  { operands: [images], options }: Line,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.mustBeWritten = true;
  const files = options.file;
  if (images.length === 0 && files.length === 0)
    reject("input.malformed", "found no image; write: atcr-verify IMAGE, such as atcr.io/alice.example.com/app:v1");
  // What writes to standard input may take as long as what is verified.
  if (files.length > 0) lifecycle.setDeadline(COMMAND_TIMEOUT);
  const { requested, found } = await readNamedImages(images, files, lifecycle.deadline);
  const kind = {
    isList: requested.length > 1 || files.length > 0,
    mediaType: options["media-type"],
    resolves: !options.offline,
  };
  const run = new VerifyRun(requested, kind, lifecycle);
  const command = new VerifyCommand(run, found, options, lifecycle);
  lifecycle.render = (answer) => {
    try {
      return command.output(answer);
    } catch (error) {
      // A report that cannot be made must not hide the answer.
      lifecycle.diagnose(String(error));
      return reasonLine(answer);
    }
  };
  lifecycle.status = (answer) => command.status(answer);
  lifecycle.answerInterrupts();
  await command.verify();
  return lifecycle.print(command.output(), command.status());
}

/** One run of the command, and what it prints whenever it ends. */
class VerifyCommand {
  readonly #run: VerifyRun;
  readonly #found: Summary["found"];
  readonly #options: Options;
  readonly #lifecycle: ProcessLifecycle;
  #chosen: ChosenPolicy = { signers: [] };
  /** Whether the evidence or a report could not be saved. */
  #isSomethingLost = false;

  constructor(run: VerifyRun, found: Summary["found"], options: Options, lifecycle: ProcessLifecycle) {
    this.#run = run;
    this.#found = found;
    this.#options = options;
    this.#lifecycle = lifecycle;
  }

  async verify(): Promise<void> {
    const options = this.#options;
    const lifecycle = this.#lifecycle;
    checkOptions(options, this.#run.isList, lifecycle.warnings.warn);
    const config = loadConfig(
      lifecycle.environment,
      options.config,
      oncePerPath((why) => warnOfNamed(why, lifecycle)),
    );
    lifecycle.setDeadline(this.#run.isList ? COMMAND_TIMEOUT : config.deadline);
    const { bundle: bundlePath, "save-evidence": target } = options;
    const now = options.offline ? readTime(options.at) : undefined;
    this.#chosen = await choosePolicy(options, config, lifecycle);
    const saved =
      bundlePath === undefined
        ? undefined
        : await readSavedEvidence(bundlePath, config.bundleKeys, lifecycle, options.at !== undefined);
    if (target !== undefined) checkTarget(target);
    const startedAt = Date.now();
    const { policy } = this.#chosen;
    const settings = {
      config: this.#effective(config),
      environment: lifecycle.environment,
      isStateless: options.stateless,
      isBatch: this.#run.isList,
    };
    // Without a policy nothing is judged.
    const verifier = new Verifier({ ...settings, policy: policy ?? trustOnly([], undefined), ...(saved && { saved }) });
    lifecycle.atEnd(() => verifier.close());
    await this.#run.verifyAll({
      verifier,
      judges: policy !== undefined,
      verbose: options.verbose,
      deadline: config.deadline,
      allowAudited: options["allow-audited"],
      needsDigest: options.output === "ref",
      ...(options.platform !== undefined && { platform: parsePlatform(options.platform) }),
      ...(this.#mayInspect(config) && { inspect: inspectorOf(config, lifecycle) }),
      ...(now !== undefined && { now }),
    });
    const [first] = this.#results();
    if (target !== undefined && first !== undefined)
      this.#isSomethingLost = !saveEvidence(target, startedAt, first, lifecycle);
  }

  /** @param ended why the command ends before there is a result for each image */
  output(ended?: Answer): string {
    const { quiet, output } = this.#options;
    const results = this.#results(ended);
    this.#explain(results, ended);
    if (quiet) return "";
    const { environment } = this.#lifecycle;
    const summary = this.#summary(ended);
    if (output === "github") {
      const unwritten = reportToGithub(results, summary, environment);
      if (unwritten !== undefined) {
        this.#isSomethingLost = true;
        this.#lifecycle.diagnose(unwritten);
      }
    }
    return reportIn(output, environment)(results, summary);
  }

  /** @param allowAudited instead of what the command line says */
  status(ended?: Answer, allowAudited: boolean = this.#options["allow-audited"]): number {
    // An interrupted list is incomplete, whatever was found by then.
    if (ended !== undefined && "code" in ended && ended.code === "net.interrupted") return 2;
    const statuses = this.#results(ended).map(({ answer }) => statusOf(answer, allowAudited));
    // An end after the last result is a failure of this program, such as a report that cannot be made: never an allow.
    const late = ended !== undefined && this.#run.isDone ? [exitCode(ended)] : [];
    const status = statusOfAll([...statuses, ...late]);
    return this.#isSomethingLost ? status || INTERNAL : status;
  }

  #results(ended?: Answer): readonly ImageResult[] {
    return this.#run.results(this.#options["allow-audited"], ended);
  }

  #summary(ended: Answer | undefined): Summary {
    const { policy, path, signers } = this.#chosen;
    return {
      status: this.status(ended),
      isList: this.#run.isList,
      ...(ended && { ended }),
      ...(policy && path !== undefined && { policy: { path, sha256: policy.hash } }),
      signers,
      found: this.#found,
      allowAudited: this.#options["allow-audited"],
      verbose: this.#options.verbose,
      warnings: this.#lifecycle.warnings.all,
    };
  }

  /** On standard error: what the status means, and reasons that the output does not have. */
  #explain(results: readonly ImageResult[], ended: Answer | undefined): void {
    const { quiet, output } = this.#options;
    for (const { answer, status } of results) {
      if ((quiet || output === "ref") && status !== 0) {
        this.#lifecycle.diagnose(headlineOf(answer));
      }
    }
    const [status, otherwise] = [this.status(ended), this.status(ended, true)];
    // The same where other images have that status too: then it says nothing of those that are audited.
    if (status !== otherwise) {
      const what = this.#run.isList ? "nodes allow some of these images" : "nodes allow this image";
      const why = this.#run.isList ? "their rule audits" : "its rule audits";
      this.#lifecycle.diagnose(
        `exit status ${status}: ${what} only because ${why}; with --allow-audited the exit status is ${otherwise}`,
      );
    }
  }

  /** Not for a list: others may have written it, and each of its images could make this machine ask 16 strangers. */
  #mayInspect(config: Config): boolean {
    const { quiet, output, offline } = this.#options;
    const isShown = !quiet && (output === "text" || output === "json" || output === "ndjson");
    return isShown && !this.#run.isList && !offline && !config.offline;
  }

  #effective(config: Config): Config {
    const { "no-cache": noCache, stateless } = this.#options;
    return noCache || stateless ? { ...config, cacheEnabled: false } : config;
  }
}

function inspectorOf(config: Config, { environment }: ProcessLifecycle): NonNullable<RunSettings["inspect"]> {
  return async (name, session) => {
    const [{ inspectImage }, { strangersContext }] = await Promise.all([
      import("../../../verifier/inspect/inspect-image.ts"),
      import("../../../verifier/inspect/strangers-context.ts"),
    ]);
    return inspectImage({ name, given: [] }, strangersContext(config, environment, session));
  };
}

/** A configuration named on the command line is used even if others can change it, as in many pipelines (decision 0038). */
function warnOfNamed(why: string, lifecycle: ProcessLifecycle): void {
  const message = `${why}; it is used because it was named on the command line, but a pull would refuse it`;
  lifecycle.warnings.warn({ code: "settings.distrusted", message });
}
