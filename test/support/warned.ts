import { type Warn, Warnings } from "../../src/core/warning.ts";

/** Collects the warnings of one request, as lines: `CODE: SENTENCE`. */
export function warned(lines: string[]): Warn {
  return new Warnings(({ code, message }) => lines.push(`${code}: ${message}`)).warn;
}
