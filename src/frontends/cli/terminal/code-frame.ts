import { printable } from "../../../core/encoding/printable.ts";
import type { Place } from "../../../core/rejection.ts";

/** Most characters of the file's line that are shown; of a longer one, those around the place. */
const MAX_SHOWN = 120;

/**
 * The line of the file, and a caret below the place in it:
 *
 *     12 |   scope: "atcr.io/*"
 *        |          ^
 */
export function codeFrame({ line, column, lineText }: Place): string {
  // Cut by the caret's own text: what is printed for a character may be shorter than it is in the file.
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
