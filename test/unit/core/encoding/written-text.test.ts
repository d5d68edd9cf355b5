import { describe, expect, it } from "vitest";
import { problemOf } from "../../../../src/core/encoding/written-text.ts";
import { YamlFile } from "../../../../src/core/encoding/yaml.ts";
import { rejectionOf } from "../../../support/rejection.ts";

const at = (text: string) => rejectionOf(() => new YamlFile(text, "f.yaml", "policy.invalid"));
const character = (code: number) => String.fromCodePoint(code);
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** YAML 1.2, 5.1: c-printable, without its line breaks; and what UAX 9 calls a bidirectional control. */
const isPrintable = (code: number) =>
  code === 0x09 ||
  (code >= 0x20 && code <= 0x7e) ||
  (code >= 0xa0 && code <= 0xd7ff) ||
  (code >= 0xe000 && code <= 0xfffd) ||
  code > 0xffff;
const ELSEWHERE_A_BREAK = [0x85, 0x2028, 0x2029];
const BIDIRECTIONAL = [0x061c, 0x200e, 0x200f, ...range(0x202a, 0x202e), ...range(0x2066, 0x2069)];
const MARK = 0xfeff;

describe("problemOf", () => {
  it("lets printable characters through and no others, wherever they stand", () => {
    const foreign = new Set([...ELSEWHERE_A_BREAK, ...BIDIRECTIONAL, MARK]);
    const refused = [...range(0, 0xffff), 0x10000, 0x1f600, 0x10ffff].filter(
      (code) => problemOf(`# ${character(code)}x`) !== undefined,
    );
    const expected = range(0, 0xffff).filter((code) => code !== 0x0a && (!isPrintable(code) || foreign.has(code)));
    expect(refused).toEqual(expected);
  });

  it("takes LF, CRLF and both in one file for the ends of lines, and nothing else", () => {
    expect(problemOf("a: 1\r\nb: 2\n\r\n")).toBeUndefined();
    for (const text of ["a: 1\rb: 2\n", "a: 1\r\r\n", "a: 1\n\r", "a: 1\n\rb: 2\r\n"]) {
      expect(problemOf(text)?.offset).toBe(text.search(/\r(?!\n)/));
    }
  });

  it("takes a byte order mark at the beginning and nowhere else", () => {
    expect(problemOf("\ufeffa: 1")).toBeUndefined();
    expect(problemOf("\ufeff\ufeffa: 1")?.offset).toBe(1);
    expect(problemOf("a: \ufeff1")?.offset).toBe(3);
  });

  it("looks at every text from its beginning", () => {
    for (const text of ["x".repeat(100).concat("\0"), "\0", `${"[".repeat(40)}`, "[".repeat(33)]) {
      expect(problemOf(text)).toBeDefined();
      expect(problemOf("a: 1\n")).toBeUndefined();
    }
  });

  it("takes brackets and dashes in comments and quotes for text", () => {
    const line = "- ".repeat(50);
    const brackets = "[".repeat(50);
    for (const text of [`# ${line}\na: 1 # ${brackets}\n`, `#${brackets}`, `a: "${brackets.split("").join('\\"')}"`]) {
      expect(problemOf(text)).toBeUndefined();
    }
    expect(problemOf(`# ${line}\n${line}`)?.offset).toBe(line.length + 3);
    expect(problemOf(`a#${brackets}`)?.offset).toBe(2);
  });

  it("takes a policy of 10,000 DIDs with names and times, in blocks and on lines", () => {
    const many = (make: (i: number) => string) => Array.from({ length: 10_000 }, (_, i) => make(i)).join("");
    const did = (i: number) => `did:web:h${i}.example.com`;
    const times = 'validFrom: "2024-01-01T00:00:00Z"';
    expect(problemOf(many((i) => ` ${did(i)}: {name: "Signer ${i}", ${times}}\n`))).toBeUndefined();
    expect(problemOf(many((i) => ` ${did(i)}:\n  name: Signer ${i}\n  ${times}\n`))).toBeUndefined();
  });
});

describe("YamlFile", () => {
  it.each([
    ["a carriage return", "version: 1\n# note\rdigests: {deny: []}\n", 2, 7],
    ["a control of direction", "a: 1\r\nb: \u202e2\r\n", 2, 4],
    ["a line separator", "a: 1\n\n\n  # \u2028", 4, 5],
    ["NUL", "\ufeffa: \0", 1, 5],
    ["too many brackets", `a: 1\n${"[".repeat(1000)}`, 2, 1],
    ["too many lines", `a: 1\n${"- x\n".repeat(100_000)}`, 65_537, 1],
  ])("says where there is %s", (_, text, line, column) => {
    const { code, place } = at(text);
    expect([code, place?.line, place?.column]).toEqual(["policy.invalid", line, column]);
  });

  it.each([
    ["lines without a value", `a: x\n${"x\n".repeat(100)}`, 2, 1],
    ["lists side by side", "[a]".repeat(100), 1, 4],
    ["values on one line", "a: ".repeat(30), 1, 4],
    ["lists without end", "[\n".repeat(60), 40, 1],
  ])("names the first place of %s", (_, text, line, column) => {
    const { code, place } = at(text);
    expect([code, place?.line, place?.column]).toEqual(["policy.invalid", line, column]);
  });

  it.each([
    ["open brackets", "["],
    ["open braces", "{a: "],
    ["keys", "a: "],
    ["dashes", "- "],
    ["newlines", "\n"],
    ["lists of nothing", "-\n"],
    ["explicit keys", "? "],
    ["commas", "[,"],
    ["colons", ":\n"],
    ["comments", "#\n"],
    ["aliases", "*a\n"],
    ["anchors", "&a "],
    ["tags", "!a "],
    ["closing brackets", "]"],
    ["quotes", '"" '],
    ["directives", "%\n"],
    ["lists", "- {a: 1}\n"],
    ["plain lines", "x\n"],
  ])("does not parse 1 MiB of %s", (_, unit) => {
    expect(problemOf(unit.repeat((1024 * 1024) / unit.length))).toBeDefined();
    expect(at(unit.repeat((1024 * 1024) / unit.length)).code).toBe("policy.invalid");
  });

  it.each([
    ["a quote", `a: "${"x y ".repeat(250_000)}`],
    ["a quote over lines", `a: '${"x\n".repeat(100_000)}`],
    ["a bracket", `a: [${"x, ".repeat(60_000)}`],
  ])("says that %s is not closed", (_, text) => {
    expect(at(text).code).toBe("policy.invalid");
  });
});
