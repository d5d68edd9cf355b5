import { Composer, type CST, type Document, type ErrorCode, Lexer, LineCounter, type ParsedNode, Parser } from "yaml";

/** What the parser complains of, and where: an offset in UTF-16 units. */
export interface Complaint {
  readonly code: ErrorCode | "TOO_DEEP" | "LOST_VALUE";
  readonly message: string;
  readonly offset: number;
}

/** Lists and maps that may be open at once: more than twice the nesting that is accepted (MAX_DEPTH). */
const MAX_OPEN = 40;
/** Errors after which parsing stops: only the first by its place is reported, and the library finds them almost in order. */
const MAX_COMPLAINTS = 16;

const OPTIONS = {
  // "silent" would also silence the error for a second document.
  logLevel: "error",
  prettyErrors: false,
  stringKeys: true,
  // Looked for afterwards, in linear time.
  uniqueKeys: false,
} as const;

/** Thrown to end the work on a text of which enough is known. */
class Enough extends Error {}

/** As the library reports a problem: by a place, the two ends of one, or something that has a place. */
type OnError = (
  at: number | readonly [number, number] | { readonly offset: number },
  code: ErrorCode,
  message: string,
) => void;

/**
 * Parses the one document of a text, as the library's `parseDocument` does, but for where that goes on: behind a
 * mistake it makes a complaint of everything that follows, and it takes lists and maps that lie in each other without end.
 *
 * @returns the document, or what is wrong with the text and stands first in it
 */
export function parseOne(text: string, lines: LineCounter): Document.Parsed<ParsedNode> | Complaint {
  const found: Complaint[] = [];
  const add = (complaint: Complaint): void => {
    // The library takes what is thrown for one more complaint, and makes it here.
    if (found.length < MAX_COMPLAINTS) found.push(complaint);
    if (found.length === MAX_COMPLAINTS) throw new Enough();
  };
  let document: Document.Parsed<ParsedNode> | undefined;
  try {
    document = compose(text, lines, add);
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  for (const { code, message, pos } of [...(document?.errors ?? []), ...(document?.warnings ?? [])]) {
    found.push({ code, message, offset: pos[0] });
  }
  // There is no document only where there are complaints.
  const [first] = found.sort((a, b) => a.offset - b.offset);
  return first ?? (document as Document.Parsed<ParsedNode>);
}

/** What is wrong with a text, if it is not one document. */
export function firstComplaint(text: string): Complaint | undefined {
  const parsed = parseOne(text, new LineCounter());
  return "offset" in parsed ? parsed : undefined;
}

function compose(
  text: string,
  lines: LineCounter,
  add: (complaint: Complaint) => void,
): Document.Parsed<ParsedNode> | undefined {
  const composer = new Composer<ParsedNode>(OPTIONS);
  const onError: OnError = (at, code, message) => {
    const offset = typeof at === "number" ? at : "offset" in at ? at.offset : at[0];
    add({ code, message, offset });
  };
  // The library has no other place to learn of a complaint before all are there.
  Object.assign(composer, { onError });
  let count = 0;
  for (const token of tokens(text, lines, add)) {
    if (token.type === "document" && ++count > 1) {
      add({ code: "MULTIPLE_DOCS", message: "several documents", offset: token.offset });
      break;
    }
    const lost = token.type === "document" ? lostValue(token.value) : undefined;
    if (lost !== undefined) add({ code: "LOST_VALUE", message: 'a value without ":" before it', offset: lost });
    if (token.type === "error") add({ code: "UNEXPECTED_TOKEN", message: messageOf(token), offset: token.offset });
    // It yields a document where the next one begins, and at the end.
    else Array.from(composer.next(token));
  }
  return [...composer.end(true, text.length)][0];
}

function* tokens(text: string, lines: LineCounter, add: (complaint: Complaint) => void): Generator<CST.Token> {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length <= MAX_OPEN) continue;
    add({ code: "TOO_DEEP", message: "", offset: parser.offset - lexeme.length });
    return;
  }
  yield* parser.end();
}

function messageOf({ message, source }: CST.ErrorToken): string {
  return source === "" ? message : `${message}: ${JSON.stringify(source)}`;
}

/**
 * Offset of a value that the composer would leave out without an error, with all mistakes in it: one after `? KEY` without
 * `:` before it. An open quote in it takes in the rest of the file, which kubectl divides at lines.
 */
export function lostValue(token: CST.Token | null | undefined): number | undefined {
  if (token?.type !== "block-map" && token?.type !== "block-seq" && token?.type !== "flow-collection") return undefined;
  for (const { key, sep, value } of token.items) {
    const isBegun = token.type !== "block-map" || sep?.some(({ type }) => type === "map-value-ind");
    if (value !== undefined && isBegun !== true) return value.offset;
    const lost = lostValue(key) ?? lostValue(value);
    if (lost !== undefined) return lost;
  }
  return undefined;
}
