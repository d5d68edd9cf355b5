import { DEFAULT_CONFIG } from "../config/config.ts";
import { type Finding, problem, warning } from "../doctor/check.ts";
import { entriesOf } from "../node/bin-dir.ts";
import { DEFAULT_ADDRESS, lookAtContainerd, verifierSettings } from "../node/containerd.ts";
import { ownProgram, placedIn, recordPlace, recordsOf, removeLink } from "../node/wiring.ts";
import { Rejection, reject } from "../rejection.ts";
import { seeAsContainerd } from "./as-containerd.ts";
import { readCommandLine } from "./command-line.ts";
import { absoluteFolder, LINK_DEADLINE, LINK_OPTIONS, tellOfLink } from "./link-report.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { loadConfig } from "./settings.ts";

/**
 * `atcr-verify disable`: has containerd run this program no more. Whoever needs that may have no time to mend
 * anything, so it does what it can and says what it could not do.
 */
export async function disableCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const { values, operands } = readCommandLine(args, LINK_OPTIONS);
  if (operands.length > 0) reject("input.malformed", `found the operand "${operands[0]}", expected options alone`);
  const named = values.get("bin-dir");
  const wanted = named === undefined ? undefined : absoluteFolder(named);
  edge.setDeadline(LINK_DEADLINE);
  const containerd = await lookAtContainerd(values.get("address") ?? DEFAULT_ADDRESS, values.get("containerd-config"));
  seeAsContainerd(containerd.daemon);
  const program = ownProgram();
  const { stateDir, findings } = stateDirOf(values.get("config"));
  const records = recordsOf(program, stateDir);
  // bin_dir may be empty: then containerd runs nothing, and there is no folder.
  const known = [verifierSettings(containerd).binDir, ...records.flatMap(placedIn)];
  const folders = wanted === undefined ? [...new Set(known.filter((folder) => folder.startsWith("/")))] : [wanted];

  const removed: string[] = [];
  for (const folder of folders) {
    try {
      if (removeLink(folder)) removed.push(folder);
      for (const record of records) if (placedIn(record).includes(folder)) recordPlace(record, folder, false);
      findings.push(...whatRemains(folder, program));
    } catch (error) {
      findings.push(problem("link", (error as Error).message, "correct it, and run this again"));
    }
  }
  // Only of a containerd whose settings are seen is it known where it would run this program.
  const isKnown = wanted === undefined && containerd.daemon !== undefined && containerd.config !== undefined;
  if (wanted === undefined && removed.length === 0 && containerd.version !== undefined && !isKnown) {
    const found = `a containerd answers at ${containerd.address}, and where it looks for verifiers cannot be told`;
    findings.push(problem("link", found, "run this as root, where containerd runs, or name the folder with --bin-dir"));
  }
  return tellOfLink(
    {
      changed: removed.length > 0,
      binDir: folders[0] ?? "",
      program,
      findings,
      summary: summaryOf(removed, findings, folders, isKnown),
    },
    args,
    edge,
  );
}

function summaryOf(
  removed: readonly string[],
  findings: readonly Finding[],
  folders: readonly string[],
  isKnown: boolean,
): string {
  if (removed.length > 0) return `removed from ${removed.join(", ")}: pulls are NOT verified by this program any more`;
  if (findings.some(({ name }) => name === "link")) return "nothing was removed";
  const none = `there was no link in ${folders.join(", ") || "any folder that is known"}`;
  return isKnown ? `${none}: containerd does not ask this program` : none;
}

/** A configuration that cannot be read refuses every pull, and must not keep anybody from ending that. */
function stateDirOf(path: string | undefined): { stateDir: string; findings: Finding[] } {
  try {
    return { stateDir: loadConfig(path).stateDir, findings: [] };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const { stateDir } = DEFAULT_CONFIG;
    const found = `the configuration cannot be read, so only ${stateDir} was looked into: ${error.message}`;
    return { stateDir, findings: [warning("configuration", found, "links elsewhere are found with --bin-dir")] };
  }
}

function whatRemains(folder: string, program: string): readonly Finding[] {
  return (entriesOf(folder) ?? [])
    .filter(({ leadsTo }) => leadsTo === program)
    .map(({ name }) =>
      problem("link", `${folder}/${name} leads to this program too, and is run at each pull`, "remove it by hand"),
    );
}
