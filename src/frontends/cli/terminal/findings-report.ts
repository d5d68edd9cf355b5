import { printable } from "../../../core/encoding/printable.ts";
import type { PolicyFinding } from "../../../core/policy-tools/policy-finding.ts";
import { placeText } from "../../process/report.ts";
import { codeFrame } from "./code-frame.ts";
import { folded, painted, type Screen } from "./screen.ts";

const COLOURS = { error: "red", warning: "yellow" } as const;

/** How many findings are errors, and how many warnings. */
export function counted(findings: readonly PolicyFinding[]): { readonly errors: number; readonly warnings: number } {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  return { errors, warnings: findings.length - errors };
}

/** The exit status of a check that found them. */
export function statusOf(findings: readonly PolicyFinding[], strict: boolean): 0 | 1 {
  const { errors, warnings } = counted(findings);
  return errors + (strict ? warnings : 0) === 0 ? 0 : 1;
}

/** The findings for people, each with its line of the file and what to do. @param path for those without a place */
export function findingsText(findings: readonly PolicyFinding[], path: string, screen: Screen): string {
  const blocks = findings.map(({ severity, name, message, advice, place }) => {
    const frame = place === undefined ? "" : codeFrame(place, screen);
    const at = printable(place === undefined ? path : placeText(place));
    const text = folded(printable(`${at}: ${severity}: ${message} [${name}]`), screen);
    const from = text.indexOf(severity, at.length);
    const coloured = text.slice(0, from) + painted(text.slice(from), COLOURS[severity], screen);
    return `${coloured}\n${frame}${folded(`  ${printable(advice)}`, screen, 0)}\n\n`;
  });
  return blocks.join("");
}

/** The findings as JSON; its keys are part of the public interface (docs/reference/cli.md). */
export function findingsJson(findings: readonly PolicyFinding[]) {
  return findings.map(({ place, ...finding }) => ({
    ...finding,
    ...(place && { file: place.file, line: place.line, column: place.column }),
  }));
}
