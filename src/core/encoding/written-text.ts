/**
 * What YAML 1.1 and 1.2 call not printable, or one of them a line break, and what changes the order in which
 * text is shown: where programs disagree on what a line is, a reader sees a rule where this program sees a comment.
 *
 * Left are tab, LF, CR before LF, and printable characters (YAML 1.2, 5.1). U+0085 and U+2028 to U+2029 are
 * line breaks in YAML 1.1; U+061C, U+200E, U+200F, U+202A to U+202E and U+2066 to U+2069 are the bidirectional
 * controls of Unicode (UAX 9). A byte order mark is one at the very beginning alone.
 */
const FOREIGN =
  /\r(?!\n)|[^\t\n\r\x20-\x7e\xa0-\u{61b}\u{61d}-\u{200d}\u{2010}-\u{2027}\u{202f}-\u{2065}\u{206a}-\u{d7ff}\u{e000}-\u{fefe}\u{ff00}-\u{fffd}\u{10000}-\u{10ffff}]/gu;
const BIDIRECTIONAL = /[\u{61c}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]/u;
const MARK = "\ufeff";

/** Unicode names of characters that occur in real files; others are reported by number. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["\0", "NUL"],
  ["\r", "a carriage return without a line feed"],
  ["\x1b", "ESC"],
  ["\x7f", "DEL"],
  ["\x85", "NEXT LINE"],
  ["\u2028", "LINE SEPARATOR"],
  ["\u2029", "PARAGRAPH SEPARATOR"],
  [MARK, "a byte order mark"],
]);

/**
 * Lines and indicators of a file: what each costs the parser most of its time. Blocks of text and comments count as
 * the lines they have.
 */
const INDICATOR = /[\n[\]{},"'&*!|>%#]|[-?:](?=\s)/g;
/**
 * Most of them. A policy of 10,000 DIDs with a name and a time each has 110,000. A file of 1 MiB that is made of
 * nothing else takes the parser 10 s and more, in which nobody is told what is wrong with it.
 */
const MAX_INDICATORS = 131_072;
/** Lists and maps that begin inside each other on one line: twice the nesting that is accepted. */
const BOTTOMLESS = /(?:[[{][^[\]{}\n"'#]*){33}|(?:[-?][ \t]+){33}/g;
const COMMENT = /(?:^|\s)#/;

/** What is wrong with a text, and where: an offset in UTF-16 units. */
export interface TextProblem {
  readonly offset: number;
  readonly found: string;
  readonly expected: string;
  readonly advice?: string;
}

/**
 * Looks at a text that a person wrote before it is parsed, in time proportional to its length: for characters
 * that a reader does not see as the parser does (spec 2.4), and for more structure than the parser can take in the
 * time of a pull.
 *
 * @param text attacker-controlled
 * @returns the first of its foreign characters, else where its structure is too much; undefined where neither is
 */
export function problemOf(text: string): TextProblem | undefined {
  return foreignIn(text) ?? bottomlessIn(text) ?? excessIn(text);
}

/** The first character that programs read differently; see {@link problemOf}. */
export function foreignIn(text: string): TextProblem | undefined {
  // A byte order mark at the beginning is what it is for.
  FOREIGN.lastIndex = text.startsWith(MARK) ? MARK.length : 0;
  const match = FOREIGN.exec(text);
  if (match === null) return undefined;
  const [character] = match;
  const code = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  const name =
    NAMES.get(character) ?? (BIDIRECTIONAL.test(character) ? "a control of the direction of text" : undefined);
  const advice =
    character === "\r"
      ? "some programs end the line there and others do not: end lines by LF, or by CRLF"
      : "programs disagree on what it does to the text around it: remove it, and read the line again";
  return {
    offset: match.index,
    found: `the character ${code}${name === undefined ? "" : ` (${name})`}`,
    expected: "printable text, in lines that end with LF or CRLF",
    advice,
  };
}

function bottomlessIn(text: string): TextProblem | undefined {
  BOTTOMLESS.lastIndex = 0;
  for (let match = BOTTOMLESS.exec(text); match !== null; match = BOTTOMLESS.exec(text)) {
    const before = text.slice(text.lastIndexOf("\n", match.index) + 1, match.index);
    if (!COMMENT.test(before)) {
      const found = "more than 32 lists and maps that begin inside each other";
      return { offset: match.index, found, expected: "less nesting" };
    }
    const end = text.indexOf("\n", match.index);
    if (end === -1) break;
    BOTTOMLESS.lastIndex = end;
  }
  return undefined;
}

function excessIn(text: string): TextProblem | undefined {
  INDICATOR.lastIndex = 0;
  let count = 0;
  while (INDICATOR.test(text)) {
    if (++count <= MAX_INDICATORS) continue;
    const found = `more than ${MAX_INDICATORS} lines and characters such as : - , [ ] { } and quotes`;
    return { offset: INDICATOR.lastIndex - 1, found, expected: "a smaller file" };
  }
  return undefined;
}
