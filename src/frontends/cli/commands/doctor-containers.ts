import { statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../../core/config/config.ts";
import { Rejection } from "../../../core/rejection.ts";
import { BUILD } from "../../../core/version.ts";
import { checkBreakGlass } from "../../../doctor/break-glass-check.ts";
import { type CheckResult, problem, warning } from "../../../doctor/check.ts";
import {
  checkAround,
  checkAudits,
  checkDefault,
  checkEndpoints,
  checkHosts,
  checkTagRules,
  checkUnverified,
  checkWildcards,
  checkWritten,
  registriesOf,
} from "../../../doctor/containers-checks.ts";
import { probeContainers } from "../../../doctor/containers-probe.ts";
import { checkCrio, checkLookaside, checkNodeKey, checkPort, checkUsers } from "../../../doctor/lookaside-checks.ts";
import { checkClock, checkProc } from "../../../doctor/node-checks.ts";
import { whyForeign } from "../../../io/keys/node-key.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { readBreakGlassFile } from "../../../io/settings/break-glass-file.ts";
import { loadUsablePolicy } from "../../../io/settings/load-settings.ts";
import { clockService } from "../../../platform/clock.ts";
import { ownProgram } from "../../../platform/containerd/verifier-link.ts";
import { containersOptions, readContainersFiles } from "../../../platform/containers/containers-files.ts";
import { type CrioOptions, crioProcesses } from "../../../platform/containers/crio-process.ts";
import { crioPolicies, filesOfUser } from "../../../platform/containers/overriding-files.ts";
import { portOwner } from "../../../platform/containers/port-owner.ts";
import { registryEndpoints } from "../../../platform/containers/registry-endpoints.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { tellOfChecks } from "../terminal/check-results.ts";
import { policyAndServices, readConfig } from "./doctor-command.ts";
import { gateOf } from "./enable-containers.ts";

type Options = LineOf<"doctor">["options"];

/** `atcr-verify doctor --containers`: whether podman, CRI-O, skopeo and buildah ask this program. Containerd is not looked at. */
export async function doctorContainers(options: Options, lifecycle: ProcessLifecycle): Promise<never> {
  const { environment } = lifecycle;
  const breakGlass = readBreakGlassFile(environment, Date.now());
  const { config, findings: ofConfig } = readConfig(environment, options.config, breakGlass);
  const asked = { offline: options.offline, breakGlass, environment };
  const own = config ? await checkContainers(config, options, environment) : [];
  const services = config ? await policyAndServices(config, undefined, lifecycle, asked) : [];
  const findings = [
    ...ofConfig,
    ...own,
    // Only what the policy does at this gate is reported; or why the policy cannot be read.
    ...services.filter(({ name }) => name !== "policy" || own.length === 0),
    checkClock(Date.now(), statSync(ownProgram()).mtimeMs, await clockService(environment)),
    checkProc(),
    checkBreakGlass(breakGlass),
  ];
  return tellOfChecks(findings, options.output, lifecycle);
}

/** The checks of this gate alone. A policy that cannot be read is reported by its own check. */
export async function checkContainers(
  config: Config,
  options: Pick<Options, "containers-dir" | "probe">,
  environment: Environment,
): Promise<readonly CheckResult[]> {
  const policy = loadUsablePolicy(config.trustPolicyPath);
  if (policy === undefined) return [];
  const named = registriesOf(policy);
  const gate = gateOf(config, named.hosts);
  const [host] = named.hosts;
  const own = containersOptions(join(options["containers-dir"], "policy.json"));
  try {
    const files = readContainersFiles(options["containers-dir"]);
    const written = checkWritten(gate, files);
    if (files.policyText === undefined && files.ownText === undefined) return [written];
    return [
      written,
      checkHosts(named, config.trustPolicyPath),
      ...checkAround(gate, files),
      ...checkEndpoints(gate, files, registryEndpoints(options["containers-dir"])),
      ...checkUsers(filesOfUser(environment), files.policyPath),
      ...crioStarted().flatMap((started) => checkCrio(crioPolicies("", started), files.policyPath)),
      ...checkDefault(gate, files),
      ...checkWildcards(named),
      ...checkAudits(policy),
      ...checkTagRules(policy),
      checkUnverified(gate, files),
      checkNodeKey(config.lookaside, () => whyForeign(config.lookaside.keyFile)),
      checkPort(config.lookaside, portOwner(config.lookaside)),
      ...(host === undefined ? [] : [await checkLookaside(config.lookaside, host, BUILD)]),
      ...(options.probe ? await probeContainers(environment, named.hosts, BUILD) : [notProbed(own)]),
    ];
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return [problem("containers-files", error.message, `correct it, and run: atcr-verify enable ${own}`)];
  }
}

/** One without options where none runs. */
function crioStarted(): readonly Partial<CrioOptions>[] {
  const started = crioProcesses();
  return started.length === 0 ? [{}] : started;
}

/** @param own options that name the folder */
function notProbed(own: string): CheckResult {
  const found = "no pull by skopeo or podman was tried";
  return warning("containers-probe", found, `run: atcr-verify doctor ${own} --probe`);
}
