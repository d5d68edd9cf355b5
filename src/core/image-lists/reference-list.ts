import type { ImageCollector } from "./found-image.ts";

/** Comments begin a line, or follow white space. */
const COMMENT = /(?:^|\s)#.*$/;
/** What begins something other than plain text in YAML, or continues to a value. */
const OTHER_THAN_TEXT = /^[-?:,[\]{}#&*!|>'"%@`]|:$/;

/**
 * Whether a text is a list of references, one to a line. Every line is one word that YAML takes for plain text, so nothing that
 * is a list here can be a resource to somebody else.
 */
export function isReferenceList(text: string): boolean {
  const words = [...wordsOf(text)];
  return words.length > 0 && words.every(({ word }) => !/\s/.test(word) && !OTHER_THAN_TEXT.test(word));
}

/** Finds the images of a plain list. */
export function findInList(text: string, into: ImageCollector): void {
  for (const { word, line } of wordsOf(text)) into.add(word, line, "list");
}

function* wordsOf(text: string): Generator<{ word: string; line: number }> {
  let line = 0;
  for (const written of text.split(/\r?\n/)) {
    line++;
    const word = written.replace(COMMENT, "").trim();
    if (word !== "") yield { word, line };
  }
}
