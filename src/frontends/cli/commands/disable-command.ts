import { rmSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_CONFIG } from "../../../core/config/config.ts";
import { Rejection } from "../../../core/rejection.ts";
import { binDirUnknown, isBinDirKnown } from "../../../doctor/bin-dir-known.ts";
import { type CheckResult, problem, warning } from "../../../doctor/check.ts";
import { hasCode } from "../../../io/fs/error-code.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { entriesOf } from "../../../platform/containerd/bin-dir.ts";
import { asContainerdSees } from "../../../platform/containerd/containerd-environment.ts";
import { isAnyRunning } from "../../../platform/containerd/daemon.ts";
import {
  type Containerd,
  DEFAULT_BIN_DIR,
  lookAtContainerd,
  verifierSettings,
} from "../../../platform/containerd/inspect.ts";
import { otherSockets } from "../../../platform/containerd/known-sockets.ts";
import {
  isHiddenRecord,
  ownEntries,
  ownProgram,
  PACKAGED_STATE,
  placedIn,
  recordPlace,
} from "../../../platform/containerd/verifier-link.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { absoluteFolder, LINK_DEADLINE, tellOfLink } from "../terminal/link-report.ts";
import { containersFolder } from "./gate-options.ts";

/**
 * `atcr-verify disable`: stops containerd running this program. It is the emergency switch, so it does what it can,
 * reports what it could not do, and never says that pulls are no longer verified while an entry that runs this program
 * remains in a folder that containerd may use.
 */
export async function disableCommand(line: LineOf<"disable">, lifecycle: ProcessLifecycle): Promise<never> {
  const { options } = line;
  if (options.containers) return (await import("./disable-containers.ts")).disableContainers(line, lifecycle);
  const { "bin-dir": named, output } = options;
  containersFolder(options);
  const wanted = named === undefined ? undefined : absoluteFolder(named);
  lifecycle.setDeadline(LINK_DEADLINE);
  const containerd = await lookAtContainerd(lifecycle.environment, options.address, options["containerd-config"]);
  const others = await Promise.all(
    otherSockets(containerd.address).map((address) => lookAtContainerd(lifecycle.environment, address)),
  );
  const all = [containerd, ...others];
  const program = ownProgram();
  const states = all.map(({ daemon }) => stateDirOf(asContainerdSees(lifecycle.environment, daemon), options.config));
  const findings = states[0]?.findings ?? [];
  const records = [...new Set([...states.map(({ stateDir }) => stateDir), PACKAGED_STATE])];
  const recorded = records.flatMap(placedIn);
  const known = foldersToSearch(all.map(binDirOf), recorded);
  // Of another containerd than the named one, and in another folder, links are named and stay.
  const meant = options.address === undefined ? all : [containerd];
  const folders = wanted === undefined ? foldersToSearch(meant.map(binDirOf), recorded) : [wanted];

  for (const record of records.filter(isHiddenRecord)) {
    const found = `the record of installed links in ${record} could not be read`;
    findings.push(problem("link", found, "run this as root"));
  }

  const removed: string[] = [];
  const standing: string[] = [];
  for (const folder of new Set([...folders, ...known])) {
    const inFolder = takeOut(folder, program, records, folders.includes(folder));
    removed.push(...inFolder.removed);
    standing.push(...inFolder.standing);
    findings.push(...inFolder.findings);
  }
  const foreign = [...new Set(all.flatMap((one) => otherEntries(one, standing)))];
  if (foreign.length > 0) findings.push(remaining(foreign));
  const unknown = all.filter((one) => !isBinDirKnown(one));
  const isKnown = unknown.length === 0;
  const isMissed = isNotTheOneAsked(containerd) && isAnyRunning();
  if (isMissed) findings.push(unreached(containerd, wanted === undefined));
  const isSure = isKnown && !isMissed && !findings.some(({ level }) => level === "problem");
  findings.push(...unknown.map((one) => unknownBinDir(one, wanted === undefined)));
  const summary = summaryOf({ removed, standing, others: foreign, folders, isKnown, isMissed, isSure });
  return tellOfLink(
    { changed: removed.length > 0, binDir: folders[0] ?? "", program, findings, summary, removed, standing },
    output,
    lifecycle,
  );
}

function binDirOf(containerd: Containerd): string {
  return verifierSettings(containerd).binDir;
}

/**
 * Folders where a containerd may run a link from, now or after a restart.
 *
 * @param binDirs of the configuration of each containerd; empty: it runs no verifier
 */
export function foldersToSearch(binDirs: readonly string[], recorded: readonly string[]): readonly string[] {
  const folders = [...binDirs, ...recorded, DEFAULT_BIN_DIR].filter((folder) => folder.startsWith("/"));
  return [...new Set(folders.map((path) => absoluteFolder(path)))];
}

interface Taken {
  /** Paths of entries. */
  readonly removed: readonly string[];
  readonly standing: readonly string[];
  readonly findings: readonly CheckResult[];
}

/** @param mayRemove false: entries are reported and left in place */
function takeOut(folder: string, program: string, records: readonly string[], mayRemove: boolean): Taken {
  const [removed, standing, findings]: [string[], string[], CheckResult[]] = [[], [], []];
  const recordedIn = records.filter((record) => placedIn(record).includes(folder));
  try {
    // All are found before the first is removed, since one may point to another.
    for (const { path, how, isRemovable } of ownEntries(folder, program, recordedIn.length > 0)) {
      const why = isRemovable && mayRemove ? remove(path) : undefined;
      if (isRemovable && mayRemove && why === undefined) {
        removed.push(path);
        continue;
      }
      standing.push(path);
      const advice = isRemovable && !mayRemove ? `run: atcr-verify disable --bin-dir ${folder}` : (why ?? "remove it");
      findings.push(problem("link", `${path} ${how}, and containerd runs it if its bin_dir is ${folder}`, advice));
    }
  } catch (error) {
    findings.push(problem("link", `${folder} cannot be read: ${(error as Error).message}`, adviceFor(error)));
    return { removed, standing, findings };
  }
  if (!mayRemove || standing.length > 0) return { removed, standing, findings };
  try {
    for (const record of recordedIn) recordPlace(record, folder, false);
  } catch (error) {
    const found = `no link is left in ${folder}, but the record could not be updated: ${(error as Error).message}`;
    findings.push(warning("link", found, "the next enable or disable updates it"));
  }
  return { removed, standing, findings };
}

/** @returns why it could not be removed, and what to do; undefined if it was */
function remove(path: string): string | undefined {
  try {
    rmSync(path);
    return undefined;
  } catch (error) {
    return `it could not be removed: ${(error as Error).message}; ${adviceFor(error)}`;
  }
}

function adviceFor(error: unknown): string {
  return hasCode(error, "EACCES") || hasCode(error, "EPERM") ? "run this as root" : "correct it, and run this again";
}

function unknownBinDir(containerd: Containerd, isProblem: boolean): CheckResult {
  const advice = `run this as root, on the node itself${isProblem ? ", or name the folder with --bin-dir" : ""}`;
  return (isProblem ? problem : warning)("link", binDirUnknown(containerd), advice);
}

/** Whether the containerd that runs could be another one: none answers, and its configuration was not named. */
function isNotTheOneAsked({ version, isListening, isConfigNamed }: Containerd): boolean {
  return version === undefined && !isListening && isConfigNamed !== true;
}

function unreached({ address }: Containerd, isProblem: boolean): CheckResult {
  const found = `no containerd answers at ${address}, but a containerd runs on this machine, and its bin_dir is not known`;
  const advice =
    "name its socket with --address, its configuration with --containerd-config, or the folder with --bin-dir";
  return (isProblem ? problem : warning)("containerd", found, advice);
}

/**
 * Paths of the other entries that containerd runs. Any of them may be a copy of another build of this program: its bytes
 * differ, and an unknown program is not executed to find out.
 */
function otherEntries(containerd: Containerd, standing: readonly string[]): readonly string[] {
  const { binDir, maxVerifiers } = verifierSettings(containerd);
  if (!binDir.startsWith("/")) return [];
  const folder = absoluteFolder(binDir);
  try {
    const all = (entriesOf(folder) ?? []).map(({ name }) => join(folder, name));
    return (maxVerifiers < 0 ? all : all.slice(0, maxVerifiers)).filter((path) => !standing.includes(path));
  } catch {
    return []; // That it cannot be read was reported above.
  }
}

function remaining(others: readonly string[]): CheckResult {
  const found = `containerd runs every entry of its bin_dir, also ${others.join(", ")}, which may be another build of this program`;
  return problem("entries", found, "check what it is, and remove it if it is another build");
}

interface Outcome {
  readonly removed: readonly string[];
  readonly standing: readonly string[];
  readonly others: readonly string[];
  readonly folders: readonly string[];
  /** Whether it is known where containerd looks for verifiers. */
  readonly isKnown: boolean;
  /** Whether a containerd runs that was not reached. */
  readonly isMissed: boolean;
  readonly isSure: boolean;
}

function summaryOf({ removed, standing, others, folders, isKnown, isMissed, isSure }: Outcome): string {
  const done = removed.length > 0 ? `removed ${removed.join(", ")}` : `no link was removed from ${folders.join(", ")}`;
  const runs = isKnown ? "containerd still runs" : "containerd may still run";
  const also = others.length === 0 ? "" : `; ${runs}: ${others.join(", ")}`;
  if (standing.length > 0) return `${done}; this program is still run through ${standing.join(", ")}${also}`;
  if (others.length > 0) return `${done}${also}`;
  if (isMissed && removed.length === 0)
    return `there is no link in ${folders.join(", ")}; whether another containerd runs this program is not known`;
  if (!isSure) return `${done}; whether containerd still runs this program is not known`;
  return removed.length > 0
    ? `${done}: pulls are NOT verified by this program from now on`
    : `there was no link in ${folders.join(", ") || "any known folder"}: containerd does not run this program`;
}

/** An unreadable configuration refuses every pull, so it must not keep `disable` from working. */
function stateDirOf(environment: Environment, path: string | undefined): { stateDir: string; findings: CheckResult[] } {
  try {
    return { stateDir: loadConfig(environment, path).stateDir, findings: [] };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const { stateDir } = DEFAULT_CONFIG;
    const found = `the configuration cannot be read, so only the record in ${stateDir} was used: ${error.message}`;
    return {
      stateDir,
      findings: [warning("configuration", found, "links in other folders are removed with --bin-dir")],
    };
  }
}
