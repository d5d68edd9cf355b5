import type { Config } from "../../../core/config/config.ts";
import { listenText } from "../../../core/config/listen-address.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { BUILD } from "../../../core/version.ts";
import { type CheckResult, problem } from "../../../doctor/check.ts";
import {
  checkAround,
  checkAudits,
  checkDefault,
  checkHosts,
  checkTagRules,
  checkUnverified,
  checkWildcards,
  limits,
  registriesOf,
} from "../../../doctor/containers-checks.ts";
import { checkLookaside } from "../../../doctor/lookaside-checks.ts";
import { checkPolicy } from "../../../doctor/policy-checks.ts";
import { isDenied } from "../../../io/fs/denied.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { policyInput, policySource } from "../../../io/settings/policy-source.ts";
import {
  type ContainersFiles,
  containersOptions,
  readContainersFiles,
} from "../../../platform/containers/containers-files.ts";
import { type ContainersGate, spellings } from "../../../platform/containers/containers-gate.ts";
import { formerPath, readFormer } from "../../../platform/containers/former-policy.ts";
import { HalfWritten, writeGate } from "../../../platform/containers/write-gate.ts";
import { thisNode } from "../../../platform/distribution/node-view.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { type ChangeReport, LINK_DEADLINE, NO_PERMISSION, tellOfLink } from "../terminal/link-report.ts";
import { containersFolder } from "./gate-options.ts";

/** Findings that stop it unless forced: a requirement of others would be replaced. */
const FORCEABLE = new Set(["containers-taken", "policy-errors"]);
/** Findings with which the files would not say what they seem to, or podman would pull nothing: never written. */
const STOPS = new Set(["containers-link", "containers-repeated", "containers-hosts", ...FORCEABLE]);
const UNCHANGED = "nothing was changed";

/** What enable --containers and disable --containers print. */
export interface ContainersReport extends ChangeReport {
  readonly policy: string;
  readonly registries: string;
  readonly hosts: readonly string[];
}

/** `atcr-verify enable --containers`: has podman, CRI-O, skopeo and buildah ask the lookaside responder of this node. */
export async function enableContainers({ options }: LineOf<"enable">, lifecycle: ProcessLifecycle): Promise<never> {
  lifecycle.setDeadline(LINK_DEADLINE);
  const folder = containersFolder(options);
  const config = loadConfig(lifecycle.environment, options.config);
  const source = policySource(policyInput(undefined, config));
  const named = registriesOf(source.policy);
  const files = orUnchanged(() => readContainersFiles(folder));
  const former = orUnchanged(() => readFormer(files.policyPath));
  const gate = gateOf(config, named.hosts);
  const ofPolicy = checkPolicy({ ...source, atcrHosts: config.atcrHosts, now: Date.now() }, source.path, undefined);
  const findings = [
    ...ofPolicy,
    checkHosts(named, source.path),
    ...checkAround(gate, files),
    ...checkDefault(gate, files),
    ...checkWildcards(named),
    ...checkAudits(source.policy),
    ...checkTagRules(source.policy),
  ].filter(({ level, name }) => level !== "ok" && name !== "policy"); // what containerd's gate does with it
  const stops = findings.filter(({ level, name }) => level === "problem" && STOPS.has(name));
  const tell = (changed: boolean, list: readonly CheckResult[], summary: string): never =>
    tellOfLink<ContainersReport>(
      { changed, policy: files.policyPath, registries: files.ownPath, hosts: gate.hosts, findings: list, summary },
      options.output,
      lifecycle,
    );
  if (stops.some(({ name }) => !options.force || !FORCEABLE.has(name))) {
    return tell(false, stops, `${UNCHANGED}; correct the problems first`);
  }
  try {
    const { changed, isSaved } = writeGate(gate, files, former);
    const left = [
      ...findings.filter(({ name }) => !FORCEABLE.has(name)),
      checkUnverified(gate, files),
      ...limits(thisNode().system),
    ];
    const next = `run atcr-verify doctor ${containersOptions(files.policyPath)} --probe`;
    const saved = isSaved ? `. Your previous file was saved as ${formerPath(files.policyPath)}` : "";
    return tell(
      changed,
      left,
      `${summaryOf(changed, gate, files)}${saved}. ${await answerOf(config, named.hosts)}: ${next}`,
    );
  } catch (error) {
    if (error instanceof HalfWritten) {
      const half = problem("containers-files", error.message, "correct this, and run it again");
      return tell(true, [half], `${files.ownPath} was changed, ${files.policyPath} was not`);
    }
    if (error instanceof Rejection || !(error instanceof Error) || !("code" in error)) throw error;
    const found = `the files could not be written: ${error.message}`;
    const denied = [problem(NO_PERMISSION, found, "run this as root")];
    return tell(
      false,
      isDenied(error) ? denied : [problem("containers-files", found, "correct this, and run it again")],
      UNCHANGED,
    );
  }
}

/** The gate that the configuration describes. @param hosts of the policy's rules */
export function gateOf({ lookaside }: Config, hosts: readonly string[]): ContainersGate {
  return {
    hosts: hosts.flatMap(spellings),
    base: `http://${listenText(lookaside)}`,
    keyPath: `${lookaside.keyFile}.pub`,
  };
}

/** @throws Rejection that says as well what to do */
export function orUnchanged<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return reject(error.code, `${error.message}; ${UNCHANGED}; correct it and run this again`, error);
  }
}

function summaryOf(changed: boolean, { hosts }: ContainersGate, { policyPath, ownPath }: ContainersFiles): string {
  return `${policyPath} and ${ownPath} ${changed ? "now" : "already"} demand a signature of this node for ${hosts.join(", ")}`;
}

/** Whether pulls are answered already, as the beginning of a sentence. The question starts the responder, which makes its key. */
async function answerOf({ lookaside }: Config, [host = ""]: readonly string[]): Promise<string> {
  const where = listenText(lookaside);
  const { level, found, advice } = await checkLookaside(lookaside, host, BUILD);
  if (level === "ok") return `The lookaside responder answers at ${where}. To prove that it is asked`;
  return `Until the lookaside responder answers, their pulls are refused: ${found}; ${advice}. Then`;
}
