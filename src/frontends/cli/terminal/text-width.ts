import { isatty } from "node:tty";

const STDOUT = 1;
/** Columns of a terminal: as it says, within these; and where there is none. */
const NARROWEST = 60;
const WIDEST = 200;
const USUAL = 80;

/** Columns for text on standard output. */
export function columns(): number {
  const found = isatty(STDOUT) ? process.stdout.columns : undefined;
  // Some terminals say 0.
  return found === undefined || found === 0 ? USUAL : Math.min(WIDEST, Math.max(NARROWEST, found));
}

/** The words of a text in lines of this width at most; a longer word has a line of its own. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Rows of two columns, the second wrapped: `  --option FILE   what it does`. */
export function twoColumns(rows: readonly (readonly [string, string])[], width: number): readonly string[] {
  const first = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, text]) =>
    wrapped(text, width - first).map((line, i) => `${(i === 0 ? `  ${name}` : "").padEnd(first)}${line}`),
  );
}
