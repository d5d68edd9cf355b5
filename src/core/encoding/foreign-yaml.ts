import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type ParsedNode, Parser } from "yaml";
import { lostValue } from "./yaml-document.ts";

/** A value of a YAML file that others wrote. Aliases are resolved: two places may have the same object. */
export type ForeignNode = ForeignScalar | ForeignList | ForeignMap;

interface Written {
  /** From 1. */
  readonly line: number;
  /** As resolved by the document's directives; absent where none is written. */
  readonly tag?: string;
}
export interface ForeignScalar extends Written {
  readonly kind: "scalar";
  /** As written, before any reader makes a number or a boolean of it; empty for a missing value. */
  readonly text: string;
  /** Neither in quotes nor in a block. */
  readonly isPlain: boolean;
}
export interface ForeignList extends Written {
  readonly kind: "list";
  readonly items: readonly ForeignNode[];
}
export interface ForeignMap extends Written {
  readonly kind: "map";
  /** In the order of the file; keys may be of any kind and may repeat. */
  readonly entries: readonly ForeignEntry[];
  /** What is written where `{{` begins a template, up to the end of its line; to YAML that is a map in a map. */
  readonly template?: string;
}

export interface ForeignEntry {
  readonly key: ForeignNode;
  readonly value: ForeignNode;
  /** Of the key as it is written here, where it may be an alias. */
  readonly line: number;
}

/** Rejects the file. The message says what was found and what was expected. */
export type FailAt = (line: number, message: string) => never;

/**
 * Lists and maps that may be open at once. A CustomResourceDefinition with a whole pod in its schema needs about 80 entries
 * of the parser. Stops a file of brackets from filling the stack here.
 */
const MAX_OPEN = 400;
/**
 * Lines and characters such as `:`, which cost the parser about 15 microseconds each without its second compiler. A release
 * of a large chart with its definitions has 200,000. Stops a file that takes minutes to parse.
 */
const MAX_INDICATORS = 524_288;
const INDICATOR = /[\n[\]{},"'&*!|>%#]|[-?:](?=\s)/g;
/** Characters of a template that are kept for messages. */
const MAX_TEMPLATE = 200;
/** What readers take for a line between documents: of those that begin so, kubectl drops what others read. */
const SEPARATOR = /^---(?![ \t]*\r?$|[ \t]+#)/m;

/**
 * Reads the documents of a YAML or JSON file that others wrote, leniently: aliases, tags and repeated keys are passed on, so that
 * the caller can look at everything that any reader of the file could see. Rejected is what readers divide into lines
 * or documents differently.
 *
 * @param text attacker-controlled, without characters that foreignIn (written-text.ts) finds
 */
export function* foreignDocuments(text: string, fail: FailAt): Generator<ForeignNode> {
  assertReadable(text, fail);
  const lines = new LineCounter();
  lines.addNewLine(0);
  const lineAt = (offset: number): number => Math.max(lines.linePos(offset).line, 1);
  const parser = new Parser(lines.addNewLine);
  // Without a schema: what is a number to one reader is none to the next.
  const composer = new Composer<ParsedNode>({
    logLevel: "error",
    prettyErrors: false,
    uniqueKeys: false,
    schema: "failsafe",
  });
  function* documents(tokens: Iterable<Parameters<typeof composer.next>[0]>): Generator<ForeignNode> {
    for (const token of tokens) {
      if (token.type === "document") {
        const lost = lostValue(token.value);
        if (lost !== undefined)
          fail(lineAt(lost), `found invalid YAML: a value without ":" before it${renderFirst(text)}`);
      }
      if (token.type === "error")
        fail(lineAt(token.offset), `found invalid YAML: ${token.message}${renderFirst(text)}`);
      if (token.type === "directive" && token.source.startsWith("%TAG")) {
        fail(lineAt(token.offset), "found the directive %TAG, expected tags that mean the same to every reader");
      }
      for (const document of composer.next(token)) yield convert(document);
    }
  }
  const convert = (document: {
    errors: readonly { message: string; pos: readonly [number, number] }[];
    contents: ParsedNode | null;
  }): ForeignNode => {
    const [first] = document.errors;
    if (first !== undefined) fail(lineAt(first.pos[0]), `found invalid YAML: ${first.message}${renderFirst(text)}`);
    return new Conversion(text, lineAt, fail).node(document.contents, 0);
  };
  for (const lexeme of new Lexer().lex(text)) {
    yield* documents(parser.next(lexeme));
    if (parser.stack.length > MAX_OPEN)
      fail(lineAt(parser.offset), "found lists and maps inside each other without end");
  }
  yield* documents(parser.end());
  for (const document of composer.end(false, text.length)) yield convert(document);
}

function assertReadable(text: string, fail: FailAt): void {
  const lineAt = (offset: number): number => text.slice(0, offset).split("\n").length;
  const separator = SEPARATOR.exec(text);
  if (separator !== null) {
    fail(
      lineAt(separator.index),
      'found a line that begins with "---" and continues, which programs read differently, expected "---" alone',
    );
  }
  INDICATOR.lastIndex = 0;
  for (let count = 0; INDICATOR.test(text); ) {
    if (++count > MAX_INDICATORS) {
      const what = `more than ${MAX_INDICATORS} lines and characters such as : - , [ ] { } and quotes`;
      fail(lineAt(INDICATOR.lastIndex), `found ${what}, expected a smaller file; split it`);
    }
  }
}

/** The likeliest reason why a file is no YAML. */
function renderFirst(text: string): string {
  return text.includes("{{") ? "; if this is a template, render it first: helm template CHART | atcr-verify -f -" : "";
}

/** Converts one document, in its order, so that an alias means the last anchor before it. */
class Conversion {
  readonly #text: string;
  readonly #lineAt: (offset: number) => number;
  readonly #fail: FailAt;
  readonly #anchors = new Map<string, ForeignNode | "open">();

  constructor(text: string, lineAt: (offset: number) => number, fail: FailAt) {
    this.#text = text;
    this.#lineAt = lineAt;
    this.#fail = fail;
  }

  /** @param offset of what a missing value belongs to */
  node(node: ParsedNode | null, offset: number): ForeignNode {
    if (node === null) return { kind: "scalar", text: "", isPlain: true, line: this.#lineAt(offset) };
    const line = this.#lineAt(node.range[0]);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined)
        this.#fail(line, `found the alias *${node.source}, expected an anchor &${node.source} before it`);
      if (target === "open") this.#fail(line, `found the alias *${node.source} inside of what it stands for`);
      return target;
    }
    const { anchor } = node;
    if (anchor !== undefined) this.#anchors.set(anchor, "open");
    const converted = this.#value(node, line);
    if (anchor !== undefined) this.#anchors.set(anchor, converted);
    return converted;
  }

  #value(node: ParsedNode, line: number): ForeignNode {
    const written = { line, ...(node.tag !== undefined && { tag: node.tag }) };
    const [start] = node.range;
    if (isScalar(node)) {
      const text = node.source ?? (typeof node.value === "string" ? node.value : "");
      return { kind: "scalar", ...written, text, isPlain: node.type === undefined || node.type === "PLAIN" };
    }
    if (isSeq(node)) {
      return { kind: "list", ...written, items: node.items.map((item) => this.node(item as ParsedNode, start)) };
    }
    if (!isMap(node)) return this.#fail(line, "found a value that is neither text, list nor map");
    const entries = node.items.map(({ key, value }) => ({
      key: this.node(key, start),
      value: this.node(value, key?.range[0] ?? start),
      line: this.#lineAt(key?.range[0] ?? start),
    }));
    const template = this.#text.startsWith("{{", start)
      ? (/^.*/.exec(this.#text.slice(start, start + MAX_TEMPLATE))?.[0] ?? "")
      : undefined;
    return { kind: "map", ...written, entries, ...(template !== undefined && { template }) };
  }
}
