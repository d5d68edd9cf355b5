import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MUTATED_LAYERS } from "../../packaging/layers.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Where code is changed. */
export const CHANGED = MUTATED_LAYERS.map(({ path }) => `src/${path}/*.ts`);
/**
 * The list of surviving mutants: a line `- FILE FUNCTION: ORIGINAL → REPLACEMENT` for each, every part in
 * backticks, under a heading for which docs/assurance.md says why no check is weaker. What follows is a reason
 * of its own.
 */
export const LIST = "test/mutation/survivors.md";

export interface Mutation {
  /** Its name alone, so that a line holds wherever the file is moved; no two of the files that are changed have the same. */
  readonly file: string;
  /** The function or constant of the file's top level in which it lies. */
  readonly within: string;
  readonly original: string;
  readonly replacement: string;
}

/** Characters of source that are repeated; the rest is `…`. */
const SHOWN = 90;

/** The mutation as its line in the document. */
export function lineOf({ file, within, original, replacement }: Mutation): string {
  return `- ${code(file)} ${code(within)}: ${code(original)} → ${code(replacement)}`;
}

/** The lines of the list that name a mutation. */
export function listedLines(): readonly string[] {
  return list().filter((line) => line.startsWith("- "));
}

/** The headings of the list. */
export function listedReasons(): readonly string[] {
  return list().flatMap((line) => /^## (.*)$/.exec(line)?.[1] ?? []);
}

function list(): readonly string[] {
  return readFileSync(join(ROOT, LIST), "utf8").split("\n");
}

/** Paths below the root of the files that are changed, by their names. */
export function changedFiles(): ReadonlyMap<string, string> {
  const paths = globSync(CHANGED, { cwd: ROOT });
  const files = new Map(paths.map((path) => [basename(path), path]));
  if (files.size !== paths.length) throw new Error("two of the files that are changed have the same name");
  return files;
}

/** The parts of such a line. */
export function parseLine(line: string): Mutation | undefined {
  const [file, within, original, replacement] = [...line.matchAll(/(`+)(.+?)\1(?!`)/g)].map((match) =>
    (match[2] ?? "").replace(/^ (.*`.*) $/, "$1"),
  );
  const isWhole = file !== undefined && within !== undefined && original !== undefined && replacement !== undefined;
  return isWhole ? { file, within, original, replacement } : undefined;
}

/** Source on one line, and not more of it than tells one mutation from another. */
export function shown(source: string, most = SHOWN): string {
  const line = source.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

/** Name of the function or constant of the top level that holds this line, counted from 1. */
export function nameAt(source: string, line: number): string {
  const names = source
    .split("\n")
    .slice(0, line)
    .map((text) => /^(?:export )?(?:function\*?|const|class) [[{]?(\w+)/.exec(text)?.[1]);
  return names.findLast((name) => name !== undefined) ?? "";
}

/** What only one of two lists has, each line as often as it is missing in the other. */
export function difference(left: readonly string[], right: readonly string[]): readonly string[] {
  const rest = [...right];
  return left.filter((line) => {
    const at = rest.indexOf(line);
    if (at === -1) return true;
    rest.splice(at, 1);
    return false;
  });
}

/** As inline code of Markdown, which a text with backticks needs more of around it. */
function code(text: string): string {
  if (!text.includes("`")) return `\`${text}\``;
  const fence = "`".repeat(1 + Math.max(...[...text.matchAll(/`+/g)].map(([run]) => run.length)));
  return `${fence} ${text} ${fence}`;
}
