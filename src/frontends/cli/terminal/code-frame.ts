import { printable } from "../../../core/encoding/printable.ts";
import type { Place } from "../../../core/rejection.ts";

/** Maximum characters shown of the file's line; of a longer line, those around the place. */
const MAX_SHOWN = 120;

/**
 * The line of the file, and a caret below the place in it:
 *
 *     12 |   scope: "atcr.io/*"
 *        |          ^
 */
export function codeFrame({ line, column, lineText }: Place): string {
  // Measured as printed: a character may be printed shorter than it is in the file.
  const before = shown(lineText.slice(0, column - 1));
  const text = before + shown(lineText.slice(column - 1));
  const from = Math.max(0, Math.min(before.length - MAX_SHOWN / 2, text.length - MAX_SHOWN));
  const number = String(line).padStart(6);
  const marked = `${number} | ${text.slice(from, from + MAX_SHOWN)}`.trimEnd();
  return `${marked}\n${" ".repeat(number.length)} | ${" ".repeat(before.length - from)}^\n`;
}

function shown(text: string): string {
  return printable(text.replaceAll("\t", " "));
}
