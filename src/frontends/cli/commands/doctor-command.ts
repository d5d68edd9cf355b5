import { existsSync, statSync } from "node:fs";
import type { Config } from "../../../core/config/config.ts";
import type { ImageReference } from "../../../core/oci/reference.ts";
import type { BreakGlassFile } from "../../../core/policy/break-glass.ts";
import { Rejection } from "../../../core/rejection.ts";
import { BUILD } from "../../../core/version.ts";
import { checkAuthorities } from "../../../doctor/authority-checks.ts";
import { checkBinDir } from "../../../doctor/bin-dir-checks.ts";
import { settleBinDir } from "../../../doctor/bin-dir-known.ts";
import { checkBreakGlass } from "../../../doctor/break-glass-check.ts";
import { checkBundles } from "../../../doctor/bundle-checks.ts";
import { type CheckResult, ok, problem, unseen, warning } from "../../../doctor/check.ts";
import { checkConfig, checkContainerd, checkPlugin, checkTimeout } from "../../../doctor/containerd-checks.ts";
import { checkCri, settleCri } from "../../../doctor/cri-checks.ts";
import { checkDistribution, withFiles } from "../../../doctor/distribution-check.ts";
import { checkEnvironment, checkOtherClients } from "../../../doctor/environment-checks.ts";
import { checkDecisionLog, logReader } from "../../../doctor/log-checks.ts";
import { checkCacheKey, checkClock, checkFolder, checkMetrics, checkProc } from "../../../doctor/node-checks.ts";
import { checkPolicy } from "../../../doctor/policy-checks.ts";
import { type Probed, probe } from "../../../doctor/probe.ts";
import { checkRegistryConfig } from "../../../doctor/registry-config-checks.ts";
import type { ShowChain } from "../../../doctor/services.ts";
import { isDenied } from "../../../io/fs/denied.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { readBreakGlassFile } from "../../../io/settings/break-glass-file.ts";
import { loadConfig, loadUsablePolicy } from "../../../io/settings/load-settings.ts";
import { policyInput, policySource } from "../../../io/settings/policy-source.ts";
import { configPath } from "../../../io/settings/settings-files.ts";
import { clockService } from "../../../platform/clock.ts";
import { entriesOf, markCopies } from "../../../platform/containerd/bin-dir.ts";
import { asContainerdSees } from "../../../platform/containerd/containerd-environment.ts";
import { type Containerd, lookAtContainerd, verifierSettings } from "../../../platform/containerd/inspect.ts";
import { sandboxOf } from "../../../platform/containerd/sandbox-image.ts";
import { ownProgram } from "../../../platform/containerd/verifier-link.ts";
import { isContainersEnabled } from "../../../platform/containers/containers-files.ts";
import { thisNode } from "../../../platform/distribution/node-view.ts";
import { recognise } from "../../../platform/distribution/recognise.ts";
import { findOtherClients } from "../../../platform/other-clients.ts";
import { whyUntrusted } from "../../../platform/program.ts";
import { httpSettings, readAuthorities, signersContext } from "../../../verifier/service/network.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { tellOfChecks } from "../terminal/check-results.ts";
import { withGiven } from "../terminal/repeated-options.ts";
import { containersFolder } from "./gate-options.ts";

/** Milliseconds for the whole command: test pulls, services that do not answer. */
const COMMAND_TIMEOUT = 90_000;
/** Folders that the program creates, and that others may not write to. */
const OWN = { isMade: true, isPathTrusted: true } as const;

/** `atcr-verify doctor`: whether this program verifies the pulls on this node, and can answer them. */
export async function doctorCommand({ options: given }: LineOf<"doctor">, lifecycle: ProcessLifecycle): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  const { assertOfNode, doctorCluster } = await import("./doctor-cluster.ts");
  if (given.cluster) return doctorCluster(given, lifecycle);
  assertOfNode(given);
  const options = { ...given, "containers-dir": containersFolder(given, true) };
  const { checkContainers, doctorContainers } = await import("./doctor-containers.ts");
  if (options.containers) return doctorContainers(options, lifecycle);
  const containerd = await lookAtContainerd(lifecycle.environment, options.address, options["containerd-config"]);
  const environment = asContainerdSees(lifecycle.environment, containerd.daemon);
  const recognised = recognise(thisNode());
  const own = ownProgram();
  const breakGlass = readBreakGlassFile(environment, Date.now());
  const { config, findings: ofConfig } = readConfig(environment, options.config, breakGlass);
  const checked = [
    ...checkUser(),
    ...checkContainerd(containerd),
    ...checkPlugin(containerd),
    ...checkConfig(containerd),
    ...lookIntoBinDir(containerd, own),
    ...checkDistribution(recognised, containerd),
    ...withFiles(checkCri(containerd), recognised, containerd),
    ...checkEnvironment(containerd.daemon),
    ...(await otherClients(lifecycle.environment, options.probe)),
    ...ofConfig,
    ...(config
      ? await checkNode(config, containerd, lifecycle, { offline: options.offline, breakGlass, environment })
      : []),
    checkBreakGlass(breakGlass),
    ...(config && isContainersEnabled(options["containers-dir"])
      ? await checkContainers(config, options, lifecycle.environment)
      : []),
  ];
  const probed = options.probe
    ? await tryPulls(environment, containerd, config)
    : { findings: [notProbed()], isRun: false };
  const settled = settleBinDir(settleCri(checked, probed.cri), containerd, probed.isRun);
  return tellOfChecks(withGiven([...settled, ...probed.findings], options), options.output, lifecycle);
}

/** Files of the current user are trusted beside root's, so a check that passes here may fail for containerd, which is root. */
function checkUser(): readonly CheckResult[] {
  const user = process.geteuid?.();
  if (user === 0 || user === undefined) return [];
  const found = `this runs as user ${user}, but containerd runs verifiers as root: what this user cannot read is not checked, and files of this user may be refused at a pull`;
  return [warning("user", found, "run this as root")];
}

/** The configuration, or why there is none. */
export function readConfig(
  environment: Environment,
  named: string | undefined,
  breakGlass: BreakGlassFile | undefined,
): { config?: Config; findings: readonly CheckResult[] } {
  try {
    const config = loadConfig(environment, named);
    const path = configPath(environment, named);
    const found = existsSync(path) ? `${path} is valid` : `there is no ${path}, so the defaults apply`;
    return { config, findings: [ok("configuration", found)] };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    if (isDenied(error))
      return { findings: [unseen("configuration", "whether it is valid", configPath(environment, named))] };
    return { findings: [problem("configuration", error.message, whatFollows(breakGlass))] };
  }
}

function lookIntoBinDir(containerd: Containerd, own: string): readonly CheckResult[] {
  const { binDir, maxVerifiers } = verifierSettings(containerd);
  try {
    const found = binDir === "" ? undefined : entriesOf(binDir);
    const entries = found && markCopies(found, own);
    const distrust = entries && (whyUntrusted(binDir) ?? whyUntrusted(own));
    const isAssumed = containerd.config === undefined;
    const place = { path: binDir, maxVerifiers, entries, isAssumed, ...(distrust !== undefined && { distrust }) };
    return checkBinDir(place, own);
  } catch (error) {
    if (isDenied(error)) return [unseen("bin-dir", "whether containerd runs this program", binDir)];
    return [
      problem(
        "bin-dir",
        `${binDir} cannot be read: ${(error as Error).message}`,
        "make bin_dir a folder that root can read",
      ),
    ];
  }
}

interface Asked {
  /** Whether to contact no service. */
  readonly offline: boolean;
  readonly breakGlass: BreakGlassFile | undefined;
  /** As containerd passes it to this program. */
  readonly environment: Environment;
}

async function checkNode(
  config: Config,
  containerd: Containerd,
  lifecycle: ProcessLifecycle,
  asked: Asked,
): Promise<readonly CheckResult[]> {
  const pid = containerd.daemon?.pid;
  const seen = pid === undefined ? {} : { pid };
  return [
    ...checkTimeout(containerd, config.deadline),
    ...checkRegistryConfig(containerd, config.registryConfigPath),
    ...(await policyAndServices(config, sandboxOf(containerd), lifecycle, asked)),
    checkClock(Date.now(), statSync(ownProgram()).mtimeMs, await clockService(asked.environment)),
    checkProc(),
    ...(await authorities(containerd, config)),
    checkFolder({
      ...OWN,
      name: "state-folder",
      path: config.stateDir,
      without: "what was observed of signers is not stored",
      ...seen,
    }),
    checkFolder({
      ...OWN,
      name: "cache-folder",
      path: config.cacheDir,
      without: "every pull uses the network",
      ...seen,
    }),
    checkCacheKey(asked.environment, [config.stateDir, config.cacheDir]),
    ...checkBundles(config, loadUsablePolicy(config.trustPolicyPath), Date.now()),
    await checkDecisionLog(config.decisionLog, pid),
    ...(config.metricsFile === undefined ? [] : [checkMetrics(config.metricsFile, pid)]),
  ];
}

async function authorities({ daemon }: Containerd, { caFiles }: Config): Promise<readonly CheckResult[]> {
  try {
    const environment = Object.fromEntries(daemon?.environment ?? []);
    return [await checkAuthorities(environment, caFiles.map(readAuthorities))];
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    if (isDenied(error))
      return [unseen("certificates", "which certificate authorities are trusted", caFiles.join(", "))];
    return [problem("certificates", error.message, "correct the file, or remove it from network.caFiles")];
  }
}

/** Advice for a configuration or policy that cannot be used. */
function whatFollows(breakGlass: BreakGlassFile | undefined): string {
  return breakGlass?.active === undefined
    ? "until this is corrected, this program refuses every pull"
    : "until this is corrected, this program refuses every pull that break-glass does not cover";
}

/** What the policy does, and whether the services that it names answer. */
export async function policyAndServices(
  config: Config,
  sandbox: ImageReference | undefined,
  lifecycle: ProcessLifecycle,
  asked: Asked,
): Promise<readonly CheckResult[]> {
  try {
    const source = policySource(policyInput(undefined, config));
    const question = { ...source, atcrHosts: config.atcrHosts, now: Date.now() };
    const findings = checkPolicy(question, source.path, sandbox);
    if (asked.offline) return findings;
    const { checkServices } = await import("../../../doctor/services.ts");
    const { showChain } = await import("../../../io/net/shown-chain.ts");
    // Unusable certificate authorities are reported by their own check.
    const options = { ...httpSettings(config, asked.environment), warn: () => {} };
    const show: ShowChain = (request) => showChain(request, options);
    const context = signersContext(config, asked.environment, sessionOf(lifecycle));
    return [...findings, ...(await checkServices(source.policy, config, context, show))];
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    if (isDenied(error)) return [unseen("policy", "what it refuses", config.trustPolicyPath)];
    return [problem("policy", error.message, whatFollows(asked.breakGlass))];
  }
}

function notProbed(): CheckResult {
  return warning(
    "probe",
    "no pull was tried, so it is not proven that pulls are verified",
    "run: atcr-verify doctor --probe",
  );
}

async function otherClients(environment: Environment, isProbe: boolean): Promise<readonly CheckResult[]> {
  const clients = await findOtherClients(environment);
  if (!isProbe || clients.dockerd === undefined) return checkOtherClients(clients);
  const { probeDocker } = await import("../../../doctor/docker-probe.ts");
  return checkOtherClients(clients, await probeDocker(clients.dockerd, BUILD));
}

async function tryPulls(environment: Environment, containerd: Containerd, config: Config | undefined): Promise<Probed> {
  const reader = config && logReader(environment, config.decisionLog);
  return probe({ containerd, build: BUILD, ...(reader && { reader }) });
}
