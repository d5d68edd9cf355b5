import { createInterface } from "node:readline";
import { printable } from "../../../core/encoding/printable.ts";
import { reject } from "../../../core/rejection.ts";

/** Most characters of an answer: what is pasted by mistake is not looked up. */
const MAX_ANSWER = 2000;

/** Asks a person at a terminal. */
export interface Questions {
  /** @throws Rejection input.malformed where the input ends before there is an answer */
  readonly ask: (question: string) => Promise<string>;
  readonly tell: (text: string) => void;
  readonly close: () => void;
}

/** Questions go to standard error, so that the result alone is on standard output. */
export function questionsAtTerminal(): Questions {
  // The terminal's own editing: no escape sequences, and Ctrl-C is a signal.
  const lines = createInterface({ input: process.stdin, terminal: false })[Symbol.asyncIterator]();
  return {
    ask: async (question) => {
      process.stderr.write(`${printable(question)} `);
      const { done, value } = await lines.next();
      if (done === true) reject("input.malformed", "not all questions were answered, so nothing was written");
      return value.trim().slice(0, MAX_ANSWER);
    },
    tell: (text) => void process.stderr.write(`${printable(text)}\n`),
    close: () => process.stdin.destroy(),
  };
}
