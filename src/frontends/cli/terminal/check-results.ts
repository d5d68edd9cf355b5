import { printable } from "../../../core/encoding/printable.ts";
import { VERSION } from "../../../core/version.ts";
import type { CheckResult } from "../../../doctor/check.ts";
import { ownProgram } from "../../../platform/containerd/verifier-link.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount, detailLine, jsonText } from "../../process/report.ts";
import { folded, LEVEL_COLOURS, painted, type Screen, screenOf } from "./screen.ts";

const LEVELS = ["problem", "warning", "note", "ok"] as const satisfies readonly CheckResult["level"][];

/** Problems first: there may be twenty checks that found none. */
function checkResultsText(
  findings: readonly CheckResult[],
  problems: number,
  warnings: number,
  screen: Screen,
): string {
  const ordered = LEVELS.flatMap((level) => findings.filter((finding) => finding.level === level));
  const lines = ordered.map(({ level, name, found, advice }) => {
    const line = detailLine(`${level.padEnd(8)} ${name}: ${found}${advice === undefined ? "" : `; ${advice}`}`);
    return painted(folded(line, screen, "problem  ".length), LEVEL_COLOURS[level], screen);
  });
  return `${lines.join("")}${printable(`${amount(problems, "problem")}, ${amount(warnings, "warning")}`)}\n`;
}

/** Exit status 1 if there is a problem. */
export function tellOfChecks(
  findings: readonly CheckResult[],
  output: "text" | "json",
  lifecycle: ProcessLifecycle,
): never {
  const count = (level: CheckResult["level"]) => findings.filter((finding) => finding.level === level).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  const program = process.platform === "linux" ? { program: ownProgram() } : {};
  const summary = { version: VERSION, ...program, problems, warnings, findings };
  return lifecycle.print(
    output === "json"
      ? jsonText(summary)
      : checkResultsText(findings, problems, warnings, screenOf(lifecycle.environment)),
    problems === 0 ? 0 : 1,
  );
}
