import { DEFAULT_CONFIG } from "../../../core/config/config.ts";
import { Rejection } from "../../../core/rejection.ts";
import { type CheckResult, problem, warning } from "../../../doctor/check.ts";
import { isDenied } from "../../../io/fs/denied.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import {
  type ContainersFiles,
  isLink,
  readContainersFiles,
  removeContainersFile,
  writeContainersFile,
} from "../../../platform/containers/containers-files.ts";
import { type Disabling, disabling } from "../../../platform/containers/containers-gate.ts";
import { formerPath, readFormer } from "../../../platform/containers/former-policy.ts";
import type { ContainersPolicy } from "../../../platform/containers/policy-json.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { LINK_DEADLINE, tellOfLink } from "../terminal/link-report.ts";
import { type ContainersReport, gateOf, orUnchanged } from "./enable-containers.ts";
import { containersFolder } from "./gate-options.ts";

/** `atcr-verify disable --containers`: takes out of the files what enable wrote there, and nothing else. */
export async function disableContainers({ options }: LineOf<"disable">, lifecycle: ProcessLifecycle): Promise<never> {
  lifecycle.setDeadline(LINK_DEADLINE);
  const folder = containersFolder(options);
  const files = orUnchanged(() => readContainersFiles(folder));
  const findings: CheckResult[] = [];
  const { keyPath } = gateOf(configOf(options.config, lifecycle, findings), []);
  const former = formerOf(files);
  const taken = disabling(keyPath, files, typeof former === "string" ? undefined : former);
  if (typeof former === "string" && taken.removed.length > 0) {
    const found = `what ${taken.removed.join(", ")} demanded before enable --force was NOT restored: ${former}`;
    findings.push(problem("containers-former", found, `copy it from ${formerPath(files.policyPath)} by hand`));
  }
  const why = isLink(files.policyPath) ? "it is a symbolic link; replace it with a regular file" : write(taken, files);
  const isWritten = why === undefined;
  if (!isWritten) {
    const found = `${files.policyPath} and ${files.ownPath} could not be changed: ${why}`;
    findings.push(problem("containers-files", found, "correct this, or run this as root"));
  }
  findings.push(
    ...taken.standing.map((scope) => {
      const found = `${files.policyPath}: ${scope} still demands a signature by ${keyPath}, in a way that enable does not write`;
      return problem(
        "containers-scope",
        found,
        "remove it by hand: without the lookaside responder its images are refused",
      );
    }),
  );
  const changed = isWritten && (taken.removed.length > 0 || files.ownText !== undefined);
  const report: ContainersReport = {
    changed,
    policy: files.policyPath,
    registries: files.ownPath,
    hosts: isWritten ? taken.removed : [],
    findings,
    summary: summaryOf(taken, files, isWritten),
  };
  return tellOfLink(report, options.output, lifecycle);
}

/** @returns why it cannot be read */
function formerOf({ policyPath }: ContainersFiles): ContainersPolicy | string | undefined {
  try {
    return readFormer(policyPath);
  } catch (error) {
    if (error instanceof Rejection) return error.message;
    throw error;
  }
}

/** An unreadable configuration must not keep it from working: then the default's key, and the hosts of our own file, count. */
function configOf(path: string | undefined, { environment }: ProcessLifecycle, findings: CheckResult[]) {
  try {
    return loadConfig(environment, path);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const found = `the configuration cannot be read, so the default of lookaside.keyFile was used: ${error.message}`;
    findings.push(warning("configuration", found, "correct it if its keyFile was another"));
    return DEFAULT_CONFIG;
  }
}

/** policy.json first: without it, registries.d demands nothing. @returns why it failed */
function write({ policy, restored }: Disabling, files: ContainersFiles): string | undefined {
  try {
    if (policy === "absent") removeContainersFile(files.policyPath);
    else if (policy !== undefined) writeContainersFile(files.policyPath, policy);
    removeContainersFile(files.ownPath);
    if (restored.length > 0) removeContainersFile(formerPath(files.policyPath));
    return undefined;
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    return isDenied(error) ? "this user may not write there" : error.message;
  }
}

function summaryOf(taken: Disabling, { policyPath, policyText, ownText }: ContainersFiles, isWritten: boolean): string {
  const { removed, restored, standing } = taken;
  if (!isWritten) return "nothing was taken out, or not all of it";
  const back =
    restored.length === 0
      ? ""
      : `, and restored what ${restored.join(", ")} demanded before, from ${formerPath(policyPath)}, which was removed`;
  const done =
    policyText === undefined
      ? `there is no ${policyPath}`
      : taken.policy === "absent"
        ? `deleted ${policyPath}, which enable had made: podman needs one, and pulls nothing without it`
        : removed.length > 0
          ? `took ${removed.join(", ")} out of ${policyPath}${back}`
          : `${policyPath} had nothing that enable wrote`;
  if (standing.length > 0) return `${done}; a signature of this node is still demanded for ${standing.join(", ")}`;
  if (removed.length === 0 && ownText === undefined) return `${done}: podman and CRI-O do not ask this program`;
  return `${done}. Pulls by podman and CRI-O are NOT verified by this program from now on. To stop the lookaside responder, run: systemctl disable --now atcr-verify-lookaside.socket atcr-verify-lookaside.service`;
}
