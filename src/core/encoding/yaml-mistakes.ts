import type { Complaint } from "./yaml-document.ts";

type Code = Complaint["code"];

/** A mistake of form in the words of a person who writes such files. */
export interface Mistake {
  readonly offset: number;
  readonly found: string;
  readonly expected: string;
  readonly advice?: string;
  /** Of a wrong indentation: the one that was probably meant, in spaces. */
  readonly level?: number;
}

/** Says what is wrong with a text that is no YAML, in other words than the parser's own where those help nobody. */
export function mistakeOf(text: string, { code, message, offset }: Complaint): Mistake {
  const indentation = INDENTATION.has(code) ? indentationMistake(text, offset) : undefined;
  if (indentation !== undefined) return indentation;
  if (code === "TOO_DEEP") {
    return { offset, found: "lists and maps inside each other without end", expected: "a flatter file" };
  }
  if (message.startsWith("Missing closing"))
    return { offset, found: "the end of the file", expected: "a quote that is closed" };
  if (/^Flow (?:sequence|map)/.test(message)) {
    return { offset, found: "a list or map in brackets that is not closed", expected: "] or } before this place" };
  }
  const known = MISTAKES.get(code);
  return { offset, ...(known ?? { found: `invalid YAML: ${message}`, expected: "a valid file" }) };
}

const IN_QUOTES = { found: "a character that no plain text begins with", expected: "text that begins so in quotes" };
const MISTAKES: ReadonlyMap<Code, Omit<Mistake, "offset">> = new Map<Code, Omit<Mistake, "offset">>([
  ["MULTIPLE_DOCS", { found: 'a second document, behind "---"', expected: "one in a file", advice: "remove the line" }],
  ["LOST_VALUE", { found: 'a value behind "? KEY" without ":"', expected: '": " before the value' }],
  ["TAB_AS_INDENT", { found: "a tab in the indentation", expected: "spaces" }],
  ["BAD_ALIAS", IN_QUOTES],
  ["BAD_SCALAR_START", IN_QUOTES],
  [
    "MULTILINE_IMPLICIT_KEY",
    {
      found: "a line that is neither a key with a value nor an entry of a list",
      expected: "KEY: VALUE",
      advice: 'write a colon and a space behind the key, or "- " before the entry',
    },
  ],
]);

const INDENTATION: ReadonlySet<Code> = new Set<Code>([
  "MISSING_CHAR",
  "BLOCK_AS_IMPLICIT_KEY",
  "MULTILINE_IMPLICIT_KEY",
  "UNEXPECTED_TOKEN",
]);

/** The line of a complaint or the one after it, where its indentation is none of those that lines above have begun. */
function indentationMistake(text: string, offset: number): Mistake | undefined {
  const levels = [0];
  /** The last line that is indented by so many spaces, of those that are still open. */
  const begun = new Map<number, number>();
  /** Indentations at which entries of lists begin, the latest last. */
  const entries: number[] = [];
  let start = 0;
  let number = 0;
  let isOpen = true;
  const last = text.indexOf("\n", text.indexOf("\n", offset) + 1);
  for (const line of text.slice(0, last === -1 ? undefined : last).split("\n")) {
    number++;
    const indent = line.search(/[^ ]/);
    if (indent !== -1 && line[indent] !== "#" && line[indent] !== "\r") {
      const above = levels.filter((level) => level <= indent);
      const deepest = levels.at(-1) ?? 0;
      const isBetween = indent < deepest && above.at(-1) !== indent;
      const isTooDeep = indent > deepest && !isOpen;
      if ((isBetween || isTooDeep) && start + line.length >= offset) {
        const found = `a line that is indented by ${amountOf(indent)}`;
        const open = [...begun].filter(([level]) => levels.includes(level));
        const expected = isTooDeep
          ? `${amountOf(deepest)}, as in line ${begun.get(deepest) ?? 1}, because the line above has a value already`
          : `as many as one of the lines above: ${open.map(([level, at]) => `${level} as in line ${at}`).join(", or ")}`;
        // A key probably belongs to the map above it, whose keys are indented most; an entry to the list above it.
        const isEntry = line.startsWith("- ", indent);
        const level = isTooDeep || !isEntry ? deepest : (entries.findLast((one) => levels.includes(one)) ?? deepest);
        return { offset: start + indent, found, expected, level };
      }
      levels.splice(0, levels.length, ...above, ...(above.at(-1) === indent ? [] : [indent]));
      for (const level of begun.keys()) if (level > indent) begun.delete(level);
      begun.set(indent, number);
      if (line.startsWith("- ", indent)) entries.push(indent);
      // What follows a dash begins a level of its own.
      for (let at = indent; /^- +\S/.test(line.slice(at)); ) {
        at += (/^- +/.exec(line.slice(at))?.[0] ?? "").length;
        levels.push(at);
        begun.set(at, number);
      }
      isOpen = /(?:[:-]|[|>][+-]?\d?)\s*(?:#.*)?$/.test(line.trimEnd());
    }
    start += line.length + 1;
  }
  return undefined;
}

function amountOf(spaces: number): string {
  return `${spaces} space${spaces === 1 ? "" : "s"}`;
}
