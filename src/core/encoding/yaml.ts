import { isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode } from "yaml";
import { type FileMistake, type Place, Rejection, type RejectionCode } from "../rejection.ts";
import type { Mistakes } from "./mistakes.ts";
import { problemOf, type TextProblem } from "./written-text.ts";
import { parseOne } from "./yaml-document.ts";
import { mistakeOf } from "./yaml-mistakes.ts";

/** Keys and positions that lead from the top of the file to a value. */
export type YamlPath = readonly (string | number)[];

/** What is wrong with the value, or the key, at a path. */
export interface YamlProblem {
  readonly path: YamlPath;
  /** True where the key is wrong, false where its value is. */
  readonly isKey?: boolean;
  /** What was found; absent: the value at the path is described. */
  readonly found?: string;
  readonly expected: string;
  /** What to do about it, where that does not follow from what was expected. */
  readonly advice?: string;
}

/** Largest file that is read, in UTF-16 units: 10,000 DIDs with pins fit, a mistaken path to a disk image does not. */
const MAX_TEXT = 1024 * 1024;
/** Deepest nesting; policy and configuration need 5. Stops a file of brackets from filling the stack here. */
const MAX_DEPTH = 16;
/** Most characters of a value that a message repeats, so that what was expected still fits on the line. */
const MAX_QUOTED = 100;
/** Names that every JavaScript object inherits, and that libraries therefore skip. */
const INHERITED: ReadonlySet<string> = new Set([...Object.getOwnPropertyNames(Object.prototype), "prototype"]);

/**
 * A YAML file as plain data: objects without prototype, arrays, strings, numbers, booleans, null.
 *
 * Only what is plain is read: one document of the core schema of YAML 1.2 with string keys. Anchors,
 * aliases, tags, directives and duplicate keys make a file mean something else than what a reader
 * sees, and are refused.
 */
export class YamlFile {
  /** Undefined where the file contains only comments. */
  readonly value: unknown;
  readonly #text: string;
  readonly #name: string;
  readonly #code: RejectionCode;
  readonly #lines = new LineCounter();
  readonly #contents: ParsedNode | null;
  readonly #mistakes: Mistakes | undefined;

  /**
   * @param text the file's content
   * @param name the file's name, for messages
   * @param code what every problem of this file is rejected with
   * @param mistakes collects them, as far as the file can be read in spite of them; without it the first one is thrown
   * @throws Rejection with that code
   */
  constructor(text: string, name: string, code: RejectionCode, mistakes?: Mistakes) {
    this.#mistakes = mistakes;
    this.#text = text;
    this.#name = name;
    this.#code = code;
    if (text.length > MAX_TEXT)
      this.#failBefore({ offset: 0, found: `${text.length} characters`, expected: `${MAX_TEXT} at most` });
    const problem = problemOf(text);
    if (problem !== undefined) this.#failBefore(problem);
    this.#contents = this.#parse(text);
    this.value = this.#contents === null ? undefined : this.#plain(this.#contents, []);
  }

  /** Rejects the file: `FILE:LINE:COLUMN: KEY.PATH: found X, expected Y; what to do` (spec 2.4). */
  fail({ path, isKey = false, found, expected, advice }: YamlProblem): never {
    const { offset, value } = this.#locate(path, isKey);
    this.#failAt(offset, { found: found ?? describe(value), expected, ...(advice !== undefined && { advice }) }, path);
  }

  /**
   * The result of a check. If mistakes are collected, one that it throws is recorded, and the fallback returned.
   *
   * @throws Rejection if they are not
   */
  attempt<T>(fallback: T, check: () => T): T {
    return this.#mistakes === undefined ? check() : this.#mistakes.attempt(fallback, check);
  }

  /** Where mistakes are collected; undefined if the first one is thrown. */
  get mistakes(): Mistakes | undefined {
    return this.#mistakes;
  }

  /** Renames a key in memory, so that a misspelt one is read as the one that was meant. Its locations remain. */
  rename(path: YamlPath, to: string): void {
    const node = this.#nodeAt(path.slice(0, -1));
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === path.at(-1)) : undefined;
    if (pair !== undefined && isScalar(pair.key)) pair.key.value = to;
  }

  /** Location of a value or its key; the nearest location where it is missing. */
  placeOf(at: Pick<YamlProblem, "path" | "isKey">): Place {
    return this.#placeAt(this.offsetOf(at));
  }

  /** The line of {@link placeOf}, found without reading that line: a large file may have only one. */
  lineOf(at: Pick<YamlProblem, "path" | "isKey">): number {
    return this.#lines.linePos(this.offsetOf(at)).line;
  }

  /** Where a problem is in the file, for choosing the first one: an offset in UTF-16 units. */
  offsetOf({ path, isKey = false }: Pick<YamlProblem, "path" | "isKey">): number {
    return this.#locate(path, isKey).offset;
  }

  /** Rejects a text before it is parsed, so its lines are counted here. */
  #failBefore({ offset, found, expected, advice }: TextProblem): never {
    this.#lines.addNewLine(0);
    for (let at = this.#text.indexOf("\n"); at !== -1 && at < offset; at = this.#text.indexOf("\n", at + 1)) {
      this.#lines.addNewLine(at + 1);
    }
    this.#failAt(offset, { found, expected, ...(advice !== undefined && { advice }) });
  }

  #failAt(offset: number, parts: Omit<FileMistake, "key">, path: YamlPath = []): never {
    const place = this.#placeAt(offset);
    const { found, expected, advice } = parts;
    const key = formatPath(path);
    const sentence = `${key === "" ? "" : `${key}: `}found ${found}, expected ${expected}`;
    const message = `${place.file}:${place.line}:${place.column}: ${sentence}${advice === undefined ? "" : `; ${advice}`}`;
    throw new Rejection(this.#code, message, { place, mistake: { ...(key !== "" && { key }), ...parts } });
  }

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    const start = offset - Math.max(col - 1, 0);
    const end = /\r?\n|$/.exec(this.#text.slice(start))?.index ?? 0;
    const lineText = this.#text.slice(start, start + end);
    return { file: this.#name, line: Math.max(line, 1), column: Math.max(col, 1), lineText };
  }

  #parse(text: string): ParsedNode | null {
    const document = parseOne(text, this.#lines);
    if ("offset" in document) {
      const { offset, found, expected, advice } = mistakeOf(text, document);
      this.#failAt(offset, { found, expected, ...(advice !== undefined && { advice }) });
    }
    if (document.directives?.yaml.explicit === true || Object.keys(document.directives?.tags ?? {}).length > 1) {
      this.#failAt(0, { found: "a directive (%YAML or %TAG)", expected: "a file without" });
    }
    return document.contents;
  }

  #plain(node: ParsedNode | null, path: YamlPath): unknown {
    if (node === null) return null;
    const at = node.range[0];
    if (path.length > MAX_DEPTH)
      this.#failAt(at, { found: `values nested deeper than ${MAX_DEPTH}`, expected: "a flatter file" });
    if (isAlias(node) || node.anchor !== undefined || node.tag !== undefined) {
      return this.attempt("", () => this.#failAt(at, notPlain(node), path));
    }
    if (isSeq(node)) return node.items.map((item, i) => this.#plain(item as ParsedNode, [...path, i]));
    if (isScalar(node)) return node.value;
    const plain = Object.create(null) as Record<string, unknown>;
    for (const { key, value } of node.items) {
      // A string by `stringKeys`; an empty key is the empty string.
      const name = this.#plain(key, path) as string;
      const problem = { path: [...path, name], isKey: true };
      const isRead = this.attempt(false, () => {
        if (INHERITED.has(name)) this.fail({ ...problem, found: `the key "${name}"`, expected: "another name" });
        if (name in plain)
          this.#failAt(key.range[0], { found: "this key a second time", expected: "it once" }, problem.path);
        return true;
      });
      if (isRead) plain[name] = this.#plain(value, problem.path);
    }
    return plain;
  }

  #nodeAt(path: YamlPath): ParsedNode | null {
    let node = this.#contents;
    for (const step of path) {
      const next: unknown = isMap(node)
        ? node.items.find(({ key }) => isScalar(key) && key.value === step)?.value
        : isSeq(node) && node.items[Number(step)];
      node = (next || null) as ParsedNode | null;
    }
    return node;
  }

  /** The nearest place that exists in the file: a key that is missing is reported where its map begins. */
  #locate(path: YamlPath, isKey: boolean): { offset: number; value: unknown } {
    let node: ParsedNode | null = this.#contents;
    let offset = node?.range[0] ?? 0;
    for (const [depth, step] of path.entries()) {
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
        if (pair === undefined) return { offset, value: undefined };
        node = pair.value as ParsedNode | null;
        const atKey: boolean = node === null || (isKey && depth === path.length - 1);
        offset = atKey ? (pair.key as ParsedNode).range[0] : (node?.range[0] ?? offset);
      } else if (isSeq(node)) {
        node = (node.items[Number(step)] ?? null) as ParsedNode | null;
        offset = node?.range[0] ?? offset;
      }
    }
    return { offset, value: isScalar(node) ? node.value : isSeq(node) ? node.items : node };
  }
}

/** What is wrong with a node that means something else than its text shows. */
function notPlain(node: ParsedNode): Omit<FileMistake, "key"> {
  if (isAlias(node)) {
    const text = `*${node.source}`;
    const found = `${text} without quotes, which YAML reads as an alias`;
    return { found, expected: "the value itself", advice: `put it in quotes: "${text}"` };
  }
  return node.anchor === undefined
    ? { found: "a tag (!)", expected: "a plain value" }
    : { found: "an anchor (&)", expected: "the value itself", advice: "put text that begins with & in quotes" };
}

function formatPath(path: YamlPath): string {
  const text = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
  return text.replace(/^\./, "");
}

/** A value of the file in words. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "number" || typeof value === "boolean") return `the ${typeof value} ${value}`;
  if (typeof value !== "string") return "a map";
  return JSON.stringify(value.length > MAX_QUOTED ? `${value.slice(0, MAX_QUOTED)}…` : value);
}
