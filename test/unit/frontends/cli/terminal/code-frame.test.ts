import { describe, expect, it } from "vitest";
import { codeFrame } from "../../../../../src/frontends/cli/terminal/code-frame.ts";

const frame = (lineText: string, column: number, line = 12) =>
  codeFrame({ file: "policy.yaml", line, column, lineText });

/** The character above the caret. */
function marked(text: string): string | undefined {
  const [shown = "", caret = ""] = text.split("\n");
  return shown[caret.indexOf("^")];
}

describe("codeFrame", () => {
  it("shows the line, and a caret below the column", () => {
    expect(frame('  scope: "x"', 10)).toBe('    12 |   scope: "x"\n       |          ^\n');
    expect(frame("\tx", 2, 1)).toBe("     1 |  x\n       |  ^\n");
    expect(frame("", 1, 1)).toBe("     1 |\n       | ^\n");
  });

  it.each([
    ["characters that are printed as one", "\u{1f600}\u{1f600}: X", 7],
    ["tabs", "\t\tX", 3],
    ["escapes", "\x1b[2J X", 6],
  ])("keeps the caret below its place behind %s", (_, text, column) => {
    const shown = frame(text, column);
    expect(shown).toMatch(/^[ -~\n]+$/);
    expect(marked(shown)).toBe("X");
  });

  it.each([1, 61, 500, 999])("cuts a long line around the place: column %d", (column) => {
    const text = `${"a".repeat(column - 1)}X${"b".repeat(1000 - column)}`;
    const shown = frame(text, column);
    expect(marked(shown)).toBe("X");
    expect(shown.split("\n").every((line) => line.length < 140)).toBe(true);
  });
});
