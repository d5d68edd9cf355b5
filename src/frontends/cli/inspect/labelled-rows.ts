import { printable, withoutCommands } from "../../../core/encoding/printable.ts";
import { wrapped } from "../terminal/screen.ts";

/** Characters of a value that others may have written; stops them from flooding the terminal. */
const MAX_VALUE = 400;
/** Columns of a label. */
const LABEL = 13;
/** Indentation of the lines that continue a heading. */
const CONTINUED = 2;

/** Lays out labels and their values, one below the other, wrapped behind the label. */
export class LabelledRows {
  readonly #width: number;
  readonly #maxValue: number;

  /**
   * @param width columns; infinite if the output is not a terminal
   * @param maxValue characters of a value that are shown
   */
  constructor(width: number, maxValue = MAX_VALUE) {
    this.#width = width;
    this.#maxValue = maxValue;
  }

  /** The label precedes the first value. @param values may be attacker-controlled */
  of(label: string, values: readonly string[], indent = 2): readonly string[] {
    const column = indent + LABEL;
    return values
      .flatMap((value) => this.#wrapped(this.#shown(value), column))
      .flatMap((line, i) => {
        const start = " ".repeat(indent) + (i === 0 ? label : "").padEnd(LABEL);
        if (column + line.length <= this.#width) return [`${start}${line}`.trimEnd()];
        // A word that does not fit behind its label, such as a digest.
        const long = `${" ".repeat(indent + 2)}${line}`;
        return i === 0 ? [start.trimEnd(), long] : [long];
      });
  }

  /** A line without a label. @param text may be attacker-controlled */
  heading(text: string): readonly string[] {
    return this.#wrapped(this.#shown(text), CONTINUED).map(
      (line, i) => `${" ".repeat(i === 0 ? 0 : CONTINUED)}${line}`,
    );
  }

  /** Lines that stay as they are, at this indentation. */
  asIs(lines: readonly string[], indent: number): readonly string[] {
    return lines.map((line) => `${" ".repeat(indent)}${this.#shown(line)}`);
  }

  #wrapped(value: string, column: number): readonly string[] {
    return this.#width === Number.POSITIVE_INFINITY ? [value] : wrapped(value, this.#width - column);
  }

  #shown(value: string): string {
    const safe = printable(withoutCommands(value));
    return safe.length <= this.#maxValue ? safe : `${safe.slice(0, this.#maxValue - 3)}...`;
  }
}
