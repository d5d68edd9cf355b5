import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";
import { isPlc } from "../../../core/atproto/syntax.ts";
import type { Config } from "../../../core/config/config.ts";
import type { PolicyQuestion } from "../../../core/policy-tools/policy-finding.ts";
import { reject } from "../../../core/rejection.ts";
import { VERSION } from "../../../core/version.ts";
import { checkAdded, checkBinDir } from "../../../doctor/bin-dir-checks.ts";
import { binDirUnknown, isBinDirKnown } from "../../../doctor/bin-dir-known.ts";
import { type CheckResult, problem, warning } from "../../../doctor/check.ts";
import { checkContainerd, checkMistake, checkPlugin, checkTimeout } from "../../../doctor/containerd-checks.ts";
import { checkCri } from "../../../doctor/cri-checks.ts";
import { withFiles } from "../../../doctor/distribution-check.ts";
import { checkPolicy } from "../../../doctor/policy-checks.ts";
import { whenRun } from "../../../doctor/when-run.ts";
import { hasCode } from "../../../io/fs/error-code.ts";
import { NOTHING } from "../../../io/log/metrics.ts";
import { countDecision } from "../../../io/log/metrics-file.ts";
import { Deadline } from "../../../io/process/deadline.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { policyInput, policySource } from "../../../io/settings/policy-source.ts";
import { configPath } from "../../../io/settings/settings-files.ts";
import { type BinDirEntry, entriesInOrder, entriesOf, markCopies } from "../../../platform/containerd/bin-dir.ts";
import { asContainerdSees } from "../../../platform/containerd/containerd-environment.ts";
import { type Containerd, lookAtContainerd, verifierSettings } from "../../../platform/containerd/inspect.ts";
import { sandboxOf, usualSandbox } from "../../../platform/containerd/sandbox-image.ts";
import {
  ENTRY,
  nearest,
  ownProgram,
  placeLink,
  recordPlace,
  recordsOf,
} from "../../../platform/containerd/verifier-link.ts";
import { thisNode } from "../../../platform/distribution/node-view.ts";
import { recognise } from "../../../platform/distribution/recognise.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { placeText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { absoluteFolder, LINK_DEADLINE, NO_PERMISSION, tellOfLink } from "../terminal/link-report.ts";
import { repeated, withGiven } from "../terminal/repeated-options.ts";
import { containersFolder } from "./gate-options.ts";

/** Checks whose problems stop `enable`: pulls would be blocked, or containerd would not run the link. */
const STOPS = new Set(["bin-dir", "entries", "link", "policy-errors", "sandbox-image"]);
/** Findings about a signer whose signatures cannot be accepted. */
const CANNOT_SIGN = new Set(["identity-unknown", "identity-closed"]);
/** Milliseconds for looking up the signers: a node's image may be built without a network. */
const TIME_FOR_DIRECTORIES = 5_000;

/** `atcr-verify enable`: has containerd run this program at each pull. */
export async function enableCommand(line: LineOf<"enable">, lifecycle: ProcessLifecycle): Promise<never> {
  const { options } = line;
  if (options["print-config"]) return (await import("./print-config.ts")).printConfig(line, lifecycle);
  if (options.distribution !== undefined) reject("input.malformed", "--distribution needs --print-config");
  if (options.containers) return (await import("./enable-containers.ts")).enableContainers(line, lifecycle);
  const { "bin-dir": named, output } = options;
  containersFolder(options);
  const wanted = named === undefined ? undefined : absoluteFolder(named);
  lifecycle.setDeadline(LINK_DEADLINE);
  const containerd = await lookAtContainerd(lifecycle.environment, options.address, options["containerd-config"]);
  const environment = asContainerdSees(lifecycle.environment, containerd.daemon);
  const config = loadConfig(environment, options.config);
  const source = policySource(policyInput(undefined, config));
  const binDir = wanted ?? effectiveBinDir(containerd);
  const program = ownProgram();
  const denied = [binDir, config.stateDir].find(isDenied);
  if (denied !== undefined) {
    const findings = [problem(NO_PERMISSION, `this user may not change ${denied}`, "run this as root")];
    return tellOfLink({ changed: false, binDir, program, findings, summary: "nothing was changed" }, output, lifecycle);
  }
  if (isAddressWrong(containerd, options)) {
    const findings = [notThere(containerd, binDir)];
    return tellOfLink({ changed: false, binDir, program, findings, summary: "nothing was changed" }, output, lifecycle);
  }
  const question = { ...source, atcrHosts: config.atcrHosts, now: Date.now() };
  const unreadable = whyUnreadable(binDir);
  if (unreadable !== undefined) {
    const findings = [problem("bin-dir", unreadable, "correct it, or name another folder with --bin-dir")];
    return tellOfLink({ changed: false, binDir, program, findings, summary: "nothing was changed" }, output, lifecycle);
  }
  const isNone = containerd.version === undefined && !containerd.isListening;
  const sandbox = sandboxOf(containerd) ?? (isNone ? usualSandbox() : undefined);
  const ofPolicy = checkPolicy(question, source.path, sandbox);
  const findings = [
    ...ofPolicy.map((finding) => (isNone && finding.name === "sandbox-image" ? lessGrave(finding) : finding)),
    ...checkContainerd(containerd).map((finding) => (isNone ? lessGrave(finding) : finding)),
    ...checkMistake(containerd),
    ...checkPlugin(containerd),
    ...checkTimeout(containerd, config.deadline),
    ...withFiles(checkCri(containerd), recognise(thisNode()), containerd),
    ...(wanted === undefined && !isBinDirKnown(containerd) && containerd.config === undefined
      ? [problem("bin-dir", binDirUnknown(containerd), "name the folder with --bin-dir")]
      : []),
    ...checkFolder(binDir, program, containerd).map((finding) =>
      // A node's image may be built before its containerd is configured.
      isNone && finding.name === "bin-dir" ? lessGrave(finding) : finding,
    ),
  ].filter(({ level, name }) => level !== "ok" && name !== "policy"); // what the policy does is in the summary
  const mistake = wanted === undefined ? "containerd-config" : "";
  const stops = findings.filter(({ name, level }) => level === "problem" && (STOPS.has(name) || name === mistake));
  if (stops.length > 0 && !options.force) {
    const summary = "nothing was changed; correct the problems first, or enable despite them with --force";
    return tellOfLink({ changed: false, binDir, program, findings: stops, summary }, output, lifecycle);
  }

  findings.push(...checkNamedConfig(environment, options.config));
  findings.push(...(await checkDids(question, config, environment, lifecycle)));
  const changed = place(binDir, program, config);
  findings.push(...(await beginMetrics(config)));
  const runs = whenRun(binDir, containerd, findings);
  const link = `${binDir}/${ENTRY} ${changed ? "now" : "already"} points to ${program}`;
  const summary = `${link}: ${runs}. ${ofPolicy[0]?.found ?? ""}. To prove it, run: ${repeated("atcr-verify doctor --probe", options)}`;
  const report = { changed, binDir, program, findings: withGiven(findings, options), summary };
  return tellOfLink(report, output, lifecycle);
}

/**
 * Asks the directories for the signers. A signer that no directory knows, or whose identity is closed, can sign nothing.
 * That is only a warning here, because a directory may lag; a directory that cannot be reached is not reported.
 */
async function checkDids(
  question: PolicyQuestion,
  config: Config,
  environment: Environment,
  lifecycle: ProcessLifecycle,
): Promise<readonly CheckResult[]> {
  const { checkSigners, trustedNow } = await import("../../../verifier/service/check-signers.ts");
  const dids = trustedNow(question).filter(isPlc);
  const deadline = new Deadline(performance.now() + TIME_FOR_DIRECTORIES);
  const found = await checkSigners(dids, question, config, environment, { ...sessionOf(lifecycle), deadline });
  return found
    .filter(({ name }) => CANNOT_SIGN.has(name))
    .map(({ name, message, advice, place }) =>
      warning(name, place === undefined ? message : `${placeText(place)}: ${message}`, advice),
    );
}

/** A named socket that does not answer says nothing of where its containerd looks for verifiers: it may be misspelt. */
function isAddressWrong({ version, isListening }: Containerd, options: LineOf<"enable">["options"]): boolean {
  const { address, "containerd-config": config, "bin-dir": binDir, force } = options;
  const isFolderKnown = config !== undefined || binDir !== undefined || force;
  return address !== undefined && !isFolderKnown && version === undefined && !isListening;
}

function notThere({ address }: Containerd, binDir: string): CheckResult {
  const found = `no containerd answers at ${address}, so its bin_dir is not known`;
  const advice = `correct --address, or name the folder with --bin-dir; --force places the link in ${binDir}`;
  return problem("containerd", found, advice);
}

/** A pull reads what containerd's environment names, whatever is named here. */
function checkNamedConfig(environment: Environment, named: string | undefined): readonly CheckResult[] {
  const used = configPath(environment, undefined);
  if (named === undefined || resolve(named) === used) return [];
  const found = `pulls use the configuration ${used}, not ${named}; what is said here of policy and timeout is of ${named}`;
  return [
    warning(
      "configuration",
      found,
      `set ATCR_VERIFY_CONFIG=${resolve(named)} in containerd's environment, or leave out --config`,
    ),
  ];
}

function effectiveBinDir(containerd: Containerd): string {
  const { binDir } = verifierSettings(containerd);
  if (binDir.startsWith("/")) return absoluteFolder(binDir);
  const found = binDir === "" ? "empty" : `"${binDir}"`;
  const advice = "set it to an absolute path, or name a folder with --bin-dir";
  return reject("config.invalid", `bin_dir is ${found} in containerd's configuration; ${advice}`);
}

/** While a node's image is built, no containerd runs; the link is right all the same. */
function lessGrave(finding: CheckResult): CheckResult {
  return finding.level === "problem" ? warning(finding.name, finding.found, finding.advice ?? "") : finding;
}

/** Checks the folder as it will be with the link in it. */
function checkFolder(binDir: string, program: string, containerd: Containerd): readonly CheckResult[] {
  const { binDir: effective, maxVerifiers } = verifierSettings(containerd);
  const own: BinDirEntry = { name: ENTRY, isLink: true, leadsTo: program };
  const before = markCopies(entriesOf(binDir) ?? [], program);
  const after = entriesInOrder([...before.filter(({ name }) => name !== ENTRY), own]);
  const isElsewhere = containerd.config !== undefined && binDir !== withoutSlash(effective);
  return [
    ...checkBinDir({ path: binDir, maxVerifiers, entries: after }, program),
    ...checkAdded({ path: binDir, maxVerifiers, entries: before }, after),
    ...(isElsewhere ? [otherFolder(binDir, effective)] : []),
  ];
}

/** Why the folder cannot be read, as a sentence; undefined if it can. */
function whyUnreadable(binDir: string): string | undefined {
  try {
    entriesOf(binDir);
    return undefined;
  } catch (error) {
    return `${binDir} cannot be read: ${(error as Error).message}`;
  }
}

function withoutSlash(folder: string): string {
  return folder.replace(/(?<=.)\/+$/, "");
}

/** Recorded first: a link that the package's removal does not find would be broken then, and block every pull. */
function place(binDir: string, program: string, { stateDir }: Config): boolean {
  try {
    for (const record of recordsOf(program, stateDir)) recordPlace(record, binDir, true);
    return placeLink(binDir, program);
  } catch (error) {
    return reject("config.invalid", (error as Error).message, error);
  }
}

/** Writes counters of zero, so that monitoring sees this node, and its first decision as an increase. */
async function beginMetrics({ stateDir, metricsFile }: Config): Promise<readonly CheckResult[]> {
  const findings: CheckResult[] = [];
  if (metricsFile === undefined) return findings;
  await countDecision(NOTHING, { stateDir, metricsFile, version: VERSION }, ({ message }) => {
    findings.push(warning("metrics", message, "correct this: until then there are no metrics of this node"));
  });
  return findings;
}

/** Whether this user may not write to the folder, or not create it. */
function isDenied(folder: string): boolean {
  try {
    accessSync(nearest(folder), constants.W_OK);
    return false;
  } catch (error) {
    return hasCode(error, "EACCES");
  }
}

function otherFolder(binDir: string, effective: string): CheckResult {
  const found = `containerd's bin_dir is ${effective === "" ? "empty" : effective}, not ${binDir}: it will not run this link`;
  const advice = `leave out --bin-dir; or set bin_dir to ${binDir} in containerd's configuration, and restart containerd`;
  return problem("bin-dir", found, advice);
}
