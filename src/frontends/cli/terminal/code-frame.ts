import { printable } from "../../../core/encoding/printable.ts";
import type { Place } from "../../../core/rejection.ts";
import type { Screen } from "./screen.ts";

/** Maximum characters shown of the file's line; of a longer line, those around the place. */
const MAX_SHOWN = 120;
/** Columns of the line's number. */
const NUMBER = 6;
const BAR = " | ";

/**
 * The line of the file, and a caret below the place in it:
 *
 *     12 |   scope: "atcr.io/*"
 *        |          ^
 */
export function codeFrame({ line, column, lineText }: Place, { width }: Pick<Screen, "width">): string {
  // A line that the terminal breaks would move away from its caret, which may be one column behind the text.
  const room = Math.min(MAX_SHOWN, width - NUMBER - BAR.length - 1);
  // Measured as printed: a character may be printed shorter than it is in the file.
  const before = shown(lineText.slice(0, column - 1));
  const text = before + shown(lineText.slice(column - 1));
  const from = Math.max(0, Math.min(before.length - Math.floor(room / 2), text.length - room));
  const number = String(line).padStart(NUMBER);
  const marked = `${number}${BAR}${text.slice(from, from + room)}`.trimEnd();
  return `${marked}\n${" ".repeat(number.length)}${BAR}${" ".repeat(before.length - from)}^\n`;
}

function shown(text: string): string {
  return printable(text.replaceAll("\t", " "));
}
