import type { RejectionCode } from "../rejection.ts";
import { MAX_MISTAKES, type Mistakes } from "./mistakes.ts";
import { problemOf } from "./written-text.ts";
import { YamlFile } from "./yaml.ts";
import { firstComplaint } from "./yaml-document.ts";
import { mistakeOf } from "./yaml-mistakes.ts";

/**
 * Most characters that are parsed again after repairs. A large file with a mistake on every line would take the parser
 * minutes; a file of usual size is read to its end.
 */
const MAX_PARSED = 2 * 1024 * 1024;

/**
 * Opens a file and collects what is wrong with its text. After each mistake the text is repaired in memory, so that the
 * rest can be read; line numbers stay as they are, and so do columns on all lines without such a mistake.
 *
 * @returns undefined where the rest cannot be read
 * @throws what is not a mistake of the file
 */
export function openInSpite(text: string, name: string, code: RejectionCode, mistakes: Mistakes): YamlFile | undefined {
  let repaired: string | undefined = text;
  // How far in a line with tabs is meant to be can only be guessed, so another mistake of form may be a consequence.
  let isGuess = false;
  const rounds = Math.min(MAX_MISTAKES, Math.ceil(MAX_PARSED / (text.length + 1)));
  for (let round = 0; round < rounds && repaired !== undefined; round++) {
    const now: string = repaired;
    if (isGuess && firstComplaint(now) !== undefined) break;
    const file = mistakes.attempt(undefined, () => new YamlFile(now, name, code, mistakes));
    if (file !== undefined) return file;
    isGuess ||= firstComplaint(now)?.code === "TAB_AS_INDENT";
    repaired = repairOf(now, mistakes);
  }
  mistakes.cut();
  return undefined;
}

/** The text without its first mistake; undefined where what was meant cannot be guessed. */
function repairOf(text: string, mistakes: Mistakes): string | undefined {
  const foreign = problemOf(text);
  if (foreign !== undefined) {
    const { length } = String.fromCodePoint(text.codePointAt(foreign.offset) ?? 0);
    return foreign.found.startsWith("the character") ? replaced(text, foreign.offset, length, "_") : undefined;
  }
  const complaint = firstComplaint(text);
  if (complaint === undefined) return undefined;
  const { offset, level } = mistakeOf(text, complaint);
  if (level !== undefined) return reindented(text, offset, level);
  if (complaint.code === "TAB_AS_INDENT")
    return text.replaceAll(/^[ \t]*\t/gm, (indent) => indent.replaceAll("\t", "  "));
  if (complaint.code === "MULTIPLE_DOCS") {
    mistakes.cut();
    return text.slice(0, offset);
  }
  const isBadStart = complaint.code === "BAD_ALIAS" || complaint.code === "BAD_SCALAR_START";
  return isBadStart ? replaced(text, offset, 1, "x") : undefined;
}

function replaced(text: string, at: number, length: number, by: string): string {
  return text.slice(0, at) + by.repeat(length) + text.slice(at + length);
}

/**
 * Moves a line to another indentation, and with it those behind it that are indented as far or farther, up to one that has
 * that indentation already.
 */
function reindented(text: string, offset: number, level: number): string | undefined {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const [first = "", ...rest] = text.slice(start).split("\n");
  const indentOf = (line: string): number => line.search(/[^ ]|$/);
  const indent = indentOf(first);
  if (indent === level) return undefined;
  const move = (line: string): string => " ".repeat(Math.max(0, indentOf(line) + level - indent)) + line.trimStart();
  const isBelow = (line: string): boolean =>
    line.trim() === "" || (indentOf(line) >= indent && indentOf(line) !== level);
  const end = rest.findIndex((line) => !isBelow(line));
  const block = end === -1 ? rest : rest.slice(0, end);
  const after = end === -1 ? [] : rest.slice(end);
  return text.slice(0, start) + [first, ...block].map(move).concat(after).join("\n");
}
