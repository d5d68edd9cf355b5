import type { ImageReference } from "../../core/oci/reference.ts";
import { Rejection } from "../../core/rejection.ts";
import type { StartedWith } from "../../io/process/environment.ts";
import { processAge } from "../../io/process/process-start.ts";
import { loadConfig, loadPolicy } from "../../io/settings/load-settings.ts";
import { Verifier } from "../../verifier/service/verifier.ts";
import { sessionOf } from "../process/process-session.ts";
import { readStandardInput } from "../process/standard-input.ts";
import { judgeSubject } from "./judge-subject.ts";
import { PluginError } from "./plugin-error.ts";
import { PluginLifecycle } from "./plugin-lifecycle.ts";
import { readParameters } from "./plugin-parameters.ts";
import { readPluginInput, readSubjectOf } from "./plugin-request.ts";

/** Cap on the standard input, which repeats the annotations of a referrer: anyone who may push can make them long. */
const MAX_STDIN = 1024 * 1024;
/**
 * Milliseconds from the start of the process until it gives up; its answer is there 200 ms later at most. Ratify kills its
 * plugins, and refuses, when the request is 2.9 s old, which began before Ratify asked the registry itself.
 */
const DEADLINE = 2300;

/** The entry point for Ratify, which starts the program as a verifier plugin (docs/ratify.md). */
export function runFrontend(_: readonly string[], started: StartedWith): void {
  const lifecycle = new PluginLifecycle(started.environment, started.warned);
  answerRatify(lifecycle).catch((error: unknown) => lifecycle.caught(error));
}

async function answerRatify(lifecycle: PluginLifecycle): Promise<never> {
  const { environment } = lifecycle;
  lifecycle.mustBeWritten = true;
  lifecycle.countFromStart(processAge());
  lifecycle.setDeadline(DEADLINE);
  const subject = readSubjectOf(environment);
  const input = readPluginInput(await stdinOf(lifecycle));
  lifecycle.verifier = input;
  if (input.usesHttp) {
    lifecycle.diagnose("useHttp of the store has no effect here; network.allow of the configuration lists http://HOST");
  }
  return judge(subject, readParameters(input.config), lifecycle);
}

/**
 * Settings are read and parsed at each question, as the Verifier resource chooses the policy. No break-glass: the host does not say
 * which namespace asks.
 */
async function judge(
  subject: ImageReference,
  { settings, policy: own }: ReturnType<typeof readParameters>,
  lifecycle: PluginLifecycle,
): Promise<never> {
  const { environment } = lifecycle;
  const node = { ...loadConfig(environment, undefined), ...settings };
  const config = { ...node, deadline: Math.min(node.deadline, DEADLINE) };
  lifecycle.setDeadline(config.deadline);
  const policy = own ?? loadPolicy(config.trustPolicyPath);
  const verifier = new Verifier({ config, policy, environment });
  lifecycle.atEnd(() => verifier.close());
  // Any author of a pod names the registry.
  const session = { ...sessionOf(lifecycle), privateRegistry: "network.allow" } as const;
  const { answer, error } = await judgeSubject(subject, { verifier, policy }, session);
  if (error !== undefined) throw error;
  lifecycle.answer(answer);
}

async function stdinOf(lifecycle: PluginLifecycle): Promise<string> {
  try {
    return await readStandardInput(lifecycle.deadline, MAX_STDIN, "input.malformed");
  } catch (error) {
    if (error instanceof Rejection) throw new PluginError("io", error.message);
    throw error;
  }
}
