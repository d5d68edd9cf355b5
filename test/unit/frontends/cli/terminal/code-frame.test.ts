import { describe, expect, it } from "vitest";
import { codeFrame } from "../../../../../src/frontends/cli/terminal/code-frame.ts";

const frame = (lineText: string, column: number, line = 12, width = Number.POSITIVE_INFINITY) =>
  codeFrame({ file: "policy.yaml", line, column, lineText }, { width });

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

  it.each([1, 26, 60, 100, 101])("keeps line and caret within a narrow terminal: column %d", (column) => {
    const shown = frame(`${"a".repeat(column - 1)}X${"b".repeat(100)}`.slice(0, 100), column, 12, 60);
    const caret = shown.split("\n")[1]?.indexOf("^");
    expect(shown.split("\n").every((line) => line.length <= 60)).toBe(true);
    expect(marked(shown) ?? "end").toBe(column > 100 ? "end" : "X");
    expect(caret).toBeGreaterThan(0);
  });
});
