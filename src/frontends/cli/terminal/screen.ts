/**
 * How text is laid out for a person at a terminal: folded to its width, in columns, and in colour. A file or a pipe gets one line per item, without colour.
 */
import { isatty } from "node:tty";
import type { Environment } from "../../../io/process/environment.ts";

const STDOUT = 1;
/** Columns: what the terminal says, within these limits, or the usual if it does not say. */
const NARROWEST = 60;
const WIDEST = 200;
const USUAL = 80;
/** Indentation of continuation lines. */
const INDENT = 2;
const SPACE = "  ";
/** Characters of a digest or DID in a column that is too narrow for it. */
const SHORT = 15;
const COLOURS = { red: 31, yellow: 33, green: 32 } as const;
type Colour = keyof typeof COLOURS;
/** For the findings of doctor, enable and disable. */
export const LEVEL_COLOURS = { problem: "red", warning: "yellow", note: undefined, ok: "green" } as const;

export interface Screen {
  /** Columns; infinite if the output is not a terminal. */
  readonly width: number;
  readonly hasColour: boolean;
}

/** The terminal on standard output. https://no-color.org: any non-empty value turns colour off. */
export function screenOf(environment: Environment): Screen {
  if (!isatty(STDOUT)) return { width: Number.POSITIVE_INFINITY, hasColour: false };
  const { NO_COLOR = "", TERM = "" } = environment;
  return { width: columns(process.stdout.columns), hasColour: NO_COLOR === "" && TERM !== "dumb" };
}

/** Columns for help, which is also wrapped in a file or pipe. */
export function helpWidth(): number {
  return isatty(STDOUT) ? columns(process.stdout.columns) : USUAL;
}

/** @param found what the terminal reports; some report 0, or nothing */
export function columns(found: number | undefined): number {
  return found === undefined || found === 0 ? USUAL : Math.min(WIDEST, Math.max(NARROWEST, found));
}

/**
 * Wraps text into lines of at most this width; a longer word gets a line of its own.
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
  // Drops what remains of a double space at the end of a line.
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
 * Wraps each line and indents its continuation lines.
 *
 * @param text whole lines
 * @param indent of continuation lines, in addition to the line's own
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
 * Rows in columns as wide as the widest cell. If they do not fit, digests and DIDs are cut, and end with two dots; if that does
 * not suffice, the last cells of each row are below it. Other words are never cut.
 */
export function aligned(rows: readonly (readonly string[])[], { width }: Screen): readonly string[] {
  const join = (cells: readonly string[]): string => cells.join(SPACE).trimEnd();
  if (width === Number.POSITIVE_INFINITY) return rows.map(join);
  const widest = (of: (cell: string) => number): number[] =>
    (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => of(row[i] ?? ""))));
  const [widths, least] = [widest((cell) => cell.length), widest(shortest)];
  let over = totalOf(widths) - width;
  for (let i = widths.length - 1; i >= 0 && over > 0; i--) {
    const less = Math.min(over, (widths[i] ?? 0) - (least[i] ?? 0));
    widths[i] = (widths[i] ?? 0) - less;
    over -= less;
  }
  let columns = widths.length;
  while (columns > 1 && totalOf(widths.slice(0, columns)) > width) columns--;
  return rows.map((row) => {
    const cells = row.slice(0, columns).map((cell, i) => cut(cell, widths[i] ?? 0).padEnd(widths[i] ?? 0));
    const below = row.slice(columns).filter((cell) => cell !== "");
    return [join(cells), ...(below.length === 0 ? [] : wrapped(join(below), width - INDENT))].join(`\n${SPACE}`);
  });
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, SPACE.length * (widths.length - 1));
}

function shortest(cell: string): number {
  return /^(?:sha256|did):/.test(cell) ? Math.min(cell.length, SHORT) : cell.length;
}

function cut(cell: string, width: number): string {
  return cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 2))}..`;
}
