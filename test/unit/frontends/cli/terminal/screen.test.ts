import { describe, expect, it } from "vitest";
import {
  aligned,
  columns,
  folded,
  painted,
  screenOf,
  twoColumns,
  wrapped,
} from "../../../../../src/frontends/cli/terminal/screen.ts";

const PIPE = { width: Number.POSITIVE_INFINITY, hasColour: false };
const TERMINAL = { width: 20, hasColour: true };

describe("a screen", () => {
  it.each([
    [undefined, 80],
    [0, 80],
    [20, 60],
    [60, 60],
    [133, 133],
    [200, 200],
    [900, 200],
  ])("of %s columns has text of %d", (found, width) => {
    expect(columns(found)).toBe(width);
  });

  it("is a pipe in this test: no line is folded, and there is no colour", () => {
    expect(screenOf({})).toEqual(PIPE);
  });
});

describe("text", () => {
  it("is wrapped between words; a longer word has a line of its own", () => {
    expect(wrapped("aa bb cc", 5)).toEqual(["aa bb", "cc"]);
    expect(wrapped("aa bbbbbbbb cc", 5)).toEqual(["aa", "bbbbbbbb", "cc"]);
    expect(wrapped("aa  bb  cc", 6)).toEqual(["aa  bb", "cc"]);
    expect(wrapped("aa  bbbb  cc", 5)).toEqual(["aa", "bbbb", "cc"]);
    expect(wrapped("", 5)).toEqual([""]);
  });

  it("is folded on a terminal alone, each line by itself", () => {
    const text = "problem name: what was found here\n  below it more words\n";
    expect(folded(text, PIPE)).toBe(text);
    expect(folded(text, TERMINAL, 4)).toBe("problem name: what\n    was found here\n  below it more\n      words\n");
    for (const line of folded(text, TERMINAL, 4).split("\n")) expect(line.length).toBeLessThanOrEqual(20);
  });

  it("has its first word in colour where there is any", () => {
    expect(painted("problem problem", "red", TERMINAL)).toBe("\x1b[31mproblem\x1b[0m problem");
    expect(painted("problem problem", "red", { ...TERMINAL, hasColour: false })).toBe("problem problem");
    expect(painted("problem problem", undefined, TERMINAL)).toBe("problem problem");
  });
});

describe("columns", () => {
  const rows = [
    ["a", "sha256:0123456789", "x"],
    ["bbb", "-", "yy"],
  ];

  it("are as wide as their widest cell, and only digests and DIDs are cut where they do not fit", () => {
    expect(aligned(rows, { ...TERMINAL, width: 40 })).toEqual([
      "a    sha256:0123456789  x",
      "bbb  -                  yy",
    ]);
    expect(aligned(rows, { ...TERMINAL, width: 24 })).toEqual(["a    sha256:012345..  x", "bbb  -                yy"]);
    const names = [
      ["signature.none", "atcr.io/app"],
      ["signed", "x"],
    ];
    expect(aligned(names, { ...TERMINAL, width: 27 })).toEqual(["signature.none  atcr.io/app", "signed          x"]);
  });

  it("have their last cells below them where that does not suffice", () => {
    expect(aligned(rows, TERMINAL)).toEqual(["a    sha256:012345..\n  x", "bbb  -\n  yy"]);
    const names = [
      ["signature.none", "atcr.io/app", "linux/amd64"],
      ["signed", "x", ""],
    ];
    expect(aligned(names, TERMINAL)).toEqual(["signature.none\n  atcr.io/app\n  linux/amd64", "signed\n  x"]);
  });

  it("are two spaces apart where nobody sees them, and nothing is cut", () => {
    expect(aligned(rows, PIPE)).toEqual(["a  sha256:0123456789  x", "bbb  -  yy"]);
    expect(aligned([], PIPE)).toEqual([]);
    expect(aligned([], TERMINAL)).toEqual([]);
  });

  it("of help are two, the second wrapped", () => {
    expect(
      twoColumns(
        [
          ["--a", "one two three"],
          ["--bcd", "four"],
        ],
        16,
      ),
    ).toEqual(["  --a    one two", "         three", "  --bcd  four"]);
  });
});
