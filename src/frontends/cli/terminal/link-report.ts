import { reject } from "../../../core/rejection.ts";
import type { CheckResult } from "../../../doctor/check.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { detailLine, jsonText } from "../../process/report.ts";
import { folded, LEVEL_COLOURS, painted, screenOf } from "./screen.ts";

/** Milliseconds for the whole command, which runs containerd's programs. */
export const LINK_DEADLINE = 30_000;

/** The finding that only a permission is missing; it is printed as the one line. */
export const NO_PERMISSION = "permission";

/** What enable and disable print: the state afterwards. */
export interface ChangeReport {
  readonly changed: boolean;
  readonly findings: readonly CheckResult[];
  /** Sentences. */
  readonly summary: string;
}

/** Of containerd's link. */
export interface LinkReport extends ChangeReport {
  readonly binDir: string;
  readonly program: string;
  /** Of disable: paths of the links that were removed, and of the entries that still run this program. */
  readonly removed?: readonly string[];
  readonly standing?: readonly string[];
}

/** Exit status 1 if nothing was changed that should have been, or a problem remains. */
export function tellOfLink<R extends ChangeReport = LinkReport>(
  report: R,
  output: "text" | "json",
  lifecycle: ProcessLifecycle,
): never {
  const screen = screenOf(lifecycle.environment);
  const lines = report.findings.map(({ level, name, found, advice }) =>
    painted(
      folded(detailLine(`${level} ${name}: ${found}${advice === undefined ? "" : `; ${advice}`}`), screen),
      LEVEL_COLOURS[level],
      screen,
    ),
  );
  const [first] = report.findings;
  const text =
    first?.name === NO_PERMISSION
      ? detailLine(`${first.found}; ${first.advice}`)
      : `${lines.join("")}${folded(detailLine(report.summary), screen)}`;
  const isBad = report.findings.some(({ level }) => level === "problem");
  return lifecycle.print(output === "json" ? jsonText(report) : text, isBad ? 1 : 0);
}

/**
 * @param option that names the folder
 * @throws Rejection if it is not an absolute path, or has a line break: the record has one path per line
 */
export function absoluteFolder(path: string, option = "--bin-dir"): string {
  return path.startsWith("/") && !path.includes("\n")
    ? path.replace(/(?<=.)\/+$/, "")
    : reject("input.malformed", `${option} is "${path}", expected an absolute path`);
}
