/**
 * How text is laid out for a person at a terminal: no wider than it is, in columns, and in colour. What goes to a file
 * or a pipe is a line for each thing, as it always was, and has no colour.
 */
import { isatty } from "node:tty";
import type { Environment } from "../../../io/process/environment.ts";

const STDOUT = 1;
/** Columns of a terminal: as it says, within these; and where it does not say. */
const NARROWEST = 60;
const WIDEST = 200;
const USUAL = 80;
/** How far the further lines of a text are indented. */
const INDENT = 2;
const SPACE = "  ";
const COLOURS = { red: 31, yellow: 33, green: 32 } as const;
type Colour = keyof typeof COLOURS;
/** Of what the doctor, enable and disable find. */
export const LEVEL_COLOURS = { problem: "red", warning: "yellow", ok: "green" } as const;

export interface Screen {
  /** Columns; infinitely many where nobody sees it. */
  readonly width: number;
  readonly hasColour: boolean;
}

/** What standard output is. https://no-color.org: any value but none turns colour off. */
export function screenOf(environment: Environment): Screen {
  if (!isatty(STDOUT)) return { width: Number.POSITIVE_INFINITY, hasColour: false };
  const { NO_COLOR = "", TERM = "" } = environment;
  return { width: columns(process.stdout.columns), hasColour: NO_COLOR === "" && TERM !== "dumb" };
}

/** Columns for help, which is wrapped wherever it goes. */
export function helpWidth(): number {
  return isatty(STDOUT) ? columns(process.stdout.columns) : USUAL;
}

/** @param found what the terminal says; some say 0, or nothing */
export function columns(found: number | undefined): number {
  return found === undefined || found === 0 ? USUAL : Math.min(WIDEST, Math.max(NARROWEST, found));
}

/**
 * The words of a text in lines of this width at most; a longer word has a line of its own.
 *
 * @param ofFirst width of the first line
 */
export function wrapped(text: string, width: number, ofFirst = width): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    const room = lines.length === 1 ? ofFirst : width;
    if (last !== undefined && last.length + 1 + word.length <= room) lines[lines.length - 1] = `${last} ${word}`;
    else if (last === undefined || word !== "") lines.push(word);
  }
  // Two spaces between parts are none at the end of a line.
  return lines.map((line) => line.trimEnd());
}

/** Rows of two columns, the second wrapped: `  --option FILE   what it does`. */
export function twoColumns(rows: readonly (readonly [string, string])[], width: number): readonly string[] {
  const first = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, text]) =>
    wrapped(text, width - first).map((line, i) => `${(i === 0 ? `  ${name}` : "").padEnd(first)}${line}`),
  );
}

/**
 * Lines, each wrapped and indented further from its second line on.
 *
 * @param text whole lines
 * @param indent of the further lines, beside the line's own
 */
export function folded(text: string, { width }: Screen, indent = INDENT): string {
  if (width === Number.POSITIVE_INFINITY) return text;
  const lines = text.split("\n").flatMap((line) => {
    const own = /^ */.exec(line)?.[0].length ?? 0;
    const [first = "", ...more] = wrapped(line.slice(own), width - own - indent, width - own);
    return [`${" ".repeat(own)}${first}`, ...more.map((part) => `${" ".repeat(own + indent)}${part}`)];
  });
  return lines.join("\n");
}

/** The text with its first word in colour. */
export function painted(text: string, colour: Colour | undefined, { hasColour }: Screen): string {
  if (!hasColour || colour === undefined) return text;
  return text.replace(/^\S+/, (word) => `\x1b[${COLOURS[colour]}m${word}\x1b[0m`);
}

/**
 * Rows in columns as wide as the widest cell. Where they do not fit, the widest column is cut, and what is cut ends with
 * two dots.
 */
export function aligned(rows: readonly (readonly string[])[], { width }: Screen): readonly string[] {
  const join = (cells: readonly string[]): string => cells.join(SPACE).trimEnd();
  if (width === Number.POSITIVE_INFINITY) return rows.map(join);
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const total = (): number => widths.reduce((sum, one) => sum + one, SPACE.length * (widths.length - 1));
  for (let over = total() - width; over > 0; over--) {
    const widest = Math.max(...widths);
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return rows.map((row) => join(row.map((cell, i) => cut(cell, widths[i] ?? 0).padEnd(widths[i] ?? 0))));
}

function cut(cell: string, width: number): string {
  return cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 2))}..`;
}
