import { checkBinDir } from "../doctor/bin-dir-checks.ts";
import type { Finding } from "../doctor/check.ts";
import { checkContainerd, checkCri, checkPlugin, checkTimeout } from "../doctor/containerd-checks.ts";
import { checkPolicy } from "../doctor/policy-checks.ts";
import { entriesOf } from "../node/bin-dir.ts";
import { DEFAULT_ADDRESS, lookAtContainerd, verifierSettings } from "../node/containerd.ts";
import { ENTRY, ownProgram, placedIn, placeLink, recordPlace, removeLink } from "../node/wiring.ts";
import { reject } from "../rejection.ts";
import { readCommandLine, readOutput } from "./command-line.ts";
import { policySource } from "./policy-source.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { detailLine, jsonText } from "./report.ts";
import { loadConfig } from "./settings.ts";

const OPTIONS = {
  "bin-dir": "value",
  config: "value",
  output: "value",
  address: "value",
  "containerd-config": "value",
  force: "flag",
} as const;
/** Milliseconds: containerd's programs are asked. */
const WHOLE = 30_000;

/** `atcr-verify enable`: has containerd run this program at each pull. */
export async function enableCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const { values, flags, operands } = readCommandLine(args, OPTIONS);
  if (operands.length > 0) reject("input.malformed", `found the operand "${operands[0]}", expected options alone`);
  edge.setDeadline(WHOLE);
  const containerd = await lookAtContainerd(values.get("address") ?? DEFAULT_ADDRESS, values.get("containerd-config"));
  const config = loadConfig(values.get("config") ?? containerd.daemon?.environment.get("ATCR_VERIFY_CONFIG"));
  const source = policySource(undefined, config);
  const settings = verifierSettings(containerd);
  const binDir = absolute(values.get("bin-dir") ?? settings.binDir);
  const program = ownProgram();
  const question = { ...source, atcrHosts: config.atcrHosts, now: Date.now() };
  const others = (entriesOf(binDir) ?? []).filter(({ name }) => name !== ENTRY);
  const before = [
    ...checkPolicy(question, source.path, undefined),
    ...checkContainerd(containerd),
    ...checkPlugin(containerd),
    ...checkTimeout(containerd, config.deadline),
    ...checkCri(containerd),
    ...checkBinDir({ path: binDir, maxVerifiers: settings.maxVerifiers, entries: others }, program).filter(
      ({ name }) => name === "entries",
    ),
  ].filter(({ level }) => level !== "ok");
  // What lies in the folder already blocks pulls, or would by what is begun here.
  const stops = before.filter(
    ({ name, level }) => level === "problem" && (name === "entries" || name === "policy-errors"),
  );
  const told = tell(readOutput(args), edge);
  if (stops.length > 0 && !flags.has("force"))
    told(
      {
        changed: false,
        binDir,
        program,
        findings: stops,
        summary: "nothing was changed; correct this, or say --force",
      },
      1,
    );

  const changed = place(binDir, program, config.stateDir);
  const [effect] = checkPolicy(question, source.path, undefined);
  const summary = `${binDir}/${ENTRY} ${changed ? "leads" : "led already"} to ${program}: containerd asks it at each pull from now on. ${effect?.found ?? ""}. To see it proven run: atcr-verify doctor --probe`;
  const findings =
    binDir === settings.binDir || containerd.config === undefined
      ? before
      : [...before, otherFolder(binDir, settings.binDir)];
  return told(
    { changed, binDir, program, findings, summary },
    findings.some(({ level }) => level === "problem") ? 1 : 0,
  );
}

/** `atcr-verify disable`: takes it out again. */
export async function disableCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const { values, operands } = readCommandLine(args, OPTIONS);
  if (operands.length > 0) reject("input.malformed", `found the operand "${operands[0]}", expected options alone`);
  edge.setDeadline(WHOLE);
  const containerd = await lookAtContainerd(values.get("address") ?? DEFAULT_ADDRESS, values.get("containerd-config"));
  const config = loadConfig(values.get("config") ?? containerd.daemon?.environment.get("ATCR_VERIFY_CONFIG"));
  const named = values.get("bin-dir");
  const folders =
    named === undefined
      ? [...new Set([verifierSettings(containerd).binDir, ...placedIn(config.stateDir)])]
      : [absolute(named)];
  const removed: string[] = [];
  for (const binDir of folders) {
    try {
      if (removeLink(binDir)) removed.push(binDir);
      recordPlace(config.stateDir, binDir, false);
    } catch (error) {
      reject("config.invalid", (error as Error).message, error);
    }
  }
  const summary =
    removed.length === 0
      ? `there was no link in ${folders.join(", ")}: containerd does not ask this program`
      : `removed from ${removed.join(", ")}: pulls are NOT verified by this program any more`;
  return tell(readOutput(args), edge)(
    { changed: removed.length > 0, binDir: folders[0] ?? "", program: ownProgram(), findings: [], summary },
    0,
  );
}

interface Told {
  readonly changed: boolean;
  readonly binDir: string;
  readonly program: string;
  readonly findings: readonly Finding[];
  readonly summary: string;
}

function tell(form: "text" | "json", edge: ProcessEdge): (told: Told, code: 0 | 1) => never {
  return (told, code) => {
    const lines = told.findings.map(({ level, name, found, advice = "" }) =>
      detailLine(`${level} ${name}: ${found}; ${advice}`),
    );
    return edge.print(form === "json" ? jsonText(told) : `${lines.join("")}${detailLine(told.summary)}`, code);
  };
}

function absolute(path: string): string {
  if (path === "")
    reject(
      "config.invalid",
      "bin_dir is empty in containerd's configuration: it runs no verifier; set it, or name one with --bin-dir",
    );
  return path.startsWith("/")
    ? path.replace(/(?<=.)\/+$/, "")
    : reject("input.malformed", `--bin-dir is "${path}", expected an absolute path`);
}

function place(binDir: string, program: string, stateDir: string): boolean {
  try {
    const changed = placeLink(binDir, program);
    recordPlace(stateDir, binDir, true);
    return changed;
  } catch (error) {
    return reject("config.invalid", (error as Error).message, error);
  }
}

function otherFolder(binDir: string, effective: string): Finding {
  const found = `containerd's bin_dir is ${effective === "" ? "empty" : effective}, not ${binDir}: it does not look there`;
  return { level: "problem", name: "bin-dir", found, advice: "set bin_dir in its configuration and restart it" };
}
