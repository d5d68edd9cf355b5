import type { Config } from "../../../core/config/config.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { formatReference, normaliseReference } from "../../../core/oci/reference.ts";
import { mistakesIn } from "../../../core/policy/parse-policy.ts";
import { findingsInOrder, lintPolicy } from "../../../core/policy-tools/lint.ts";
import type { PolicyFinding, PolicyQuestion } from "../../../core/policy-tools/policy-finding.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { Deadline } from "../../../io/process/deadline.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { type PolicyInput, type PolicySource, policySource } from "../../../io/settings/policy-source.ts";
import { type SandboxImage, sandboxImageOf } from "../../../platform/containerd/sandbox-image.ts";
import { EXIT_STATUS_MISCONFIGURED } from "../../process/exit-status.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { amount, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { counted, findingsJson, findingsText, statusOf } from "../terminal/findings-report.ts";
import { mistakesJson, mistakesText, type Unusable } from "../terminal/mistakes-report.ts";
import { namedPolicy } from "../terminal/named-policy.ts";
import { folded, type Screen, screenOf } from "../terminal/screen.ts";

const CONTAINERD_CONFIG = "/etc/containerd/config.toml";
/** Milliseconds beyond the network's deadline, for local work. */
const OWN_WORK = 30_000;

/** `atcr-verify policy check [FILE]`: certain and likely mistakes in a valid policy. */
export async function policyCheck(
  { operands, options }: LineOf<"policy check">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [named] = operands;
  const sandbox = readSandbox(options);
  const config = loadConfig(lifecycle.environment, options.config);
  lifecycle.setDeadline(config.deadline + OWN_WORK);
  const input = await namedPolicy(named, config, lifecycle);
  const source = sourceOr(input, (unusable) =>
    lifecycle.print(
      options.output === "json"
        ? mistakesJson(unusable, "policy")
        : mistakesText(unusable, screenOf(lifecycle.environment)),
      EXIT_STATUS_MISCONFIGURED,
    ),
  );

  const question = { ...source, atcrHosts: config.atcrHosts, now: Date.now() };
  const findings = [
    ...source.untrustedFiles,
    ...source.unread.map(notRead),
    ...lintPolicy(question, sandbox?.name),
    ...(options.offline ? [] : await checkIdentities(question, config, lifecycle)),
  ];
  const { strict } = options;
  const result = { source, findings: findingsInOrder(findings, question.policy.files), strict, sandbox };
  lifecycle.print(
    options.output === "json" ? jsonText(toJson(result)) : toText(result, screenOf(lifecycle.environment)),
    statusOf(findings, strict),
  );
}

/** The policy; if it cannot be used, all mistakes in its files, not only the first. */
function sourceOr(input: PolicyInput, otherwise: (unusable: Unusable) => never): PolicySource {
  try {
    return policySource(input);
  } catch (error) {
    if (!(error instanceof Rejection) || error.mistake === undefined) throw error;
    const found = mistakesIn(input.texts);
    return otherwise({ ...found, path: input.path, code: error.code });
  }
}

function readSandbox(options: LineOf<"policy check">["options"]): SandboxImage | undefined {
  const named = options["sandbox-image"];
  if (options["no-sandbox"]) {
    if (named !== undefined) reject("input.malformed", "--sandbox-image cannot be combined with --no-sandbox");
    return undefined;
  }
  return named === undefined
    ? sandboxImageOf(CONTAINERD_CONFIG)
    : { name: normaliseReference(named), from: "named by --sandbox-image" };
}

function notRead(path: string): PolicyFinding {
  const message = `${path} is not read: a fragment's name must end in .yaml and not begin with a dot`;
  return { severity: "warning", name: "fragment-not-read", message, advice: "rename it, or move it elsewhere" };
}

/** Look-ups end at the configuration's deadline; what is unanswered by then becomes a warning. */
async function checkIdentities(
  question: PolicyQuestion,
  config: Config,
  lifecycle: ProcessLifecycle,
): Promise<readonly PolicyFinding[]> {
  const { checkSigners, MAX_IDENTITIES, trustedNow } = await import("../../../verifier/service/check-signers.ts");
  const dids = trustedNow(question);
  const count = amount(Math.min(dids.length, MAX_IDENTITIES), "signer");
  if (dids.length > 0) lifecycle.diagnose(`looking up the identities of ${count}; --offline skips this`);
  return checkSigners(dids, question, config, lifecycle.environment, {
    ...sessionOf(lifecycle),
    deadline: new Deadline(config.deadline),
  });
}

interface Result {
  readonly source: PolicySource;
  readonly findings: readonly PolicyFinding[];
  readonly strict: boolean;
  readonly sandbox: SandboxImage | undefined;
}

function toText({ source, findings, sandbox }: Result, screen: Screen): string {
  const { errors, warnings } = counted(findings);
  const { rules, everyone } = source.policy;
  const about = sandbox === undefined ? "" : `; sandbox image ${formatReference(sandbox.name)} (${sandbox.from})`;
  const summary = `${source.path}: ${amount(errors, "error")}, ${amount(warnings, "warning")}; ${amount(rules.length, "rule")}, ${amount(everyone.length, "signer")}${about}`;
  return `${findingsText(findings, source.path, screen)}${folded(printable(summary), screen)}\n`;
}

function toJson({ source, findings, strict, sandbox }: Result) {
  return {
    policy: source.path,
    ...counted(findings),
    strict,
    ...(sandbox && { sandboxImage: formatReference(sandbox.name) }),
    findings: findingsJson(findings),
  };
}
