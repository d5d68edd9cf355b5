import { printable } from "../../../core/encoding/printable.ts";
import type { CheckResult } from "../../../doctor/check.ts";
import { amount, detailLine } from "../../process/report.ts";
import { folded, LEVEL_COLOURS, painted, type Screen } from "./screen.ts";

const LEVELS = ["problem", "warning", "note", "ok"] as const satisfies readonly CheckResult["level"][];

/** Problems first: there may be twenty checks that found none. */
export function checkResultsText(
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
