import { describe, expect, it } from "vitest";
import { YamlFile } from "../../../../src/core/encoding/yaml.ts";
import { Rejection } from "../../../../src/core/rejection.ts";

const read = (text: string): YamlFile => new YamlFile(text, "f.yaml", "config.invalid");

function rejection(action: () => unknown): Rejection {
  try {
    action();
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error("nothing was rejected");
}

describe("YamlFile", () => {
  it("reads plain data, without objects' own names", () => {
    const { value } = read('a: 1.0\nb: [x, true, null, "1"]\n"c d": {e: ~}\nf:\n');
    expect(JSON.stringify(value)).toBe('{"a":1,"b":["x",true,null,"1"],"c d":{"e":null},"f":null}');
    expect(Object.getPrototypeOf(value)).toBeNull();
  });

  it("reads YAML 1.2, where yes and 2024-01-01 are strings", () => {
    expect(JSON.stringify(read("a: yes\nb: 2024-01-01T00:00:00Z\nc: 0777\n").value)).toBe(
      '{"a":"yes","b":"2024-01-01T00:00:00Z","c":777}',
    );
  });

  it.each(["", "# nothing\n", "\n\n"])("has no value where the file is %j", (text) => {
    expect(read(text).value).toBeUndefined();
  });

  it("reads a byte order mark, CRLF and one explicit document", () => {
    expect(JSON.stringify(read("\ufeff---\r\na: 1\r\n...\r\n").value)).toBe('{"a":1}');
  });

  it.each([
    ["an anchor", "a: &x 1", "1:7"],
    ["an alias", "a: &x 1\nb: *x", "1:7"],
    ["an alias of nothing", "a: 1\nb: *x", "2:4"],
    ["a tag", "a: !!str 1", "1:10"],
    ["a tag on a list", "a: !!seq [1]", "1:10"],
    ["an unknown tag", "a: !env HOME", "1:4"],
    ["two documents", "a: 1\n---\nb: 2", "2:1"],
    ["a version directive", "%YAML 1.1\n---\na: yes", "1:1"],
    ["a tag directive", "%TAG ! tag:example.com,2000:\n---\na: 1", "1:1"],
    ["an unknown directive", "%FOO bar\n---\na: 1", "1:1"],
    ["a duplicate key", "a: 1\nb: 2\na: 1", "3:1"],
    ["a duplicate key, quoted", 'x:\n  a: 1\n  "a": 2', "3:3"],
    ["a key that is a list", "[a]: 1", "1:1"],
    ["a syntax error", "a: 1\nb: [", "2:5"],
    ["a bracket that closes nothing", "a: 1\n]", "2:1"],
    ["a brace that closes nothing", "{a: 1}}", "1:7"],
    ["a bracket in place of a value", "a: ]", "1:4"],
    ["a value that the library leaves out", "x: 1\n? a\n- b\n", "3:1"],
    ["a tab as indentation", "a:\n\tb: 1", "2:1"],
    ["a name of every object", "a: {toString: 1}", "1:5"],
    ["__proto__", "__proto__: 1", "1:1"],
    ["constructor", "constructor: 1", "1:1"],
    ["prototype", "prototype: 1", "1:1"],
  ])("refuses %s", (_, text, position) => {
    const error = rejection(() => read(text));
    expect(error.code).toBe("config.invalid");
    expect(error.message).toMatch(/^f\.yaml:\d+:\d+: /);
    expect(error.message.slice("f.yaml:".length)).toMatch(new RegExp(`^${position}`));
  });

  it("takes every key for text", () => {
    expect(Object.keys(read("1: a\ntrue: b\n? \n: c").value as object)).toEqual(["1", "true", ""]);
  });

  it("takes a merge key for a key", () => {
    expect(Object.keys(read("<<: {a: 1}").value as object)).toEqual(["<<"]);
  });

  it("refuses nesting deeper than 16", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(read(nested(17)).value).toBeDefined();
    expect(rejection(() => read(nested(18))).code).toBe("config.invalid");
  });

  it.each([
    ["lists", "[".repeat(100_000)],
    ["closed lists", "[".repeat(50_000) + "]".repeat(50_000)],
    ["maps", "{a: ".repeat(50_000)],
    ["block lists", "- ".repeat(100_000)],
    ["explicit keys", "? ".repeat(100_000)],
  ])("refuses bottomless %s", (_, text) => {
    expect(rejection(() => read(text)).code).toBe("config.invalid");
  });

  it("refuses a file larger than 1 MiB unread", () => {
    expect(JSON.stringify(read(`a: ${"x".repeat(1024 * 1024 - 3)}`).value)).toHaveLength(1024 * 1024 + 5);
    expect(rejection(() => read(`a: ${"x".repeat(1024 * 1024 - 2)}`)).code).toBe("config.invalid");
  });

  it("finds no duplicate among many keys", () => {
    const keys = Array.from({ length: 50_000 }, (_, i) => `k${i}: 1\n`).join("");
    expect(Object.keys(read(keys).value as object)).toHaveLength(50_000);
  });
});

describe("YamlFile.fail", () => {
  it("repeats a value on one line and not at length", () => {
    const value = read(JSON.stringify([`a\n${"b".repeat(1000)}`]));
    const { message } = rejection(() => value.fail({ path: [0], expected: "y" }));
    expect(message).toBe(`f.yaml:1:2: [0]: found "a\\n${"b".repeat(98)}…", expected y`);
  });

  const file = read("a:\n  - b: x\n    c: []\n    d:\ne: 5\n");
  const fail = (problem: Parameters<YamlFile["fail"]>[0]) => rejection(() => file.fail(problem)).message;

  it.each([
    [{ path: ["a", 0, "b"], expected: "y" }, 'f.yaml:2:8: a[0].b: found "x", expected y'],
    [{ path: ["a", 0, "b"], isKey: true, expected: "y" }, 'f.yaml:2:5: a[0].b: found "x", expected y'],
    [{ path: ["a", 0, "c"], expected: "y" }, "f.yaml:3:8: a[0].c: found an empty list, expected y"],
    [{ path: ["a", 0, "d"], expected: "y" }, "f.yaml:4:7: a[0].d: found nothing (null), expected y"],
    [{ path: ["a", 0], expected: "y" }, "f.yaml:2:5: a[0]: found a map, expected y"],
    [{ path: ["a"], expected: "y" }, "f.yaml:2:3: a: found a list, expected y"],
    [{ path: ["a", 0, "z"], expected: "y" }, "f.yaml:2:5: a[0].z: found nothing, expected y"],
    [{ path: ["e"], found: "X", expected: "y", advice: "do z" }, "f.yaml:5:4: e: found X, expected y; do z"],
    [{ path: ["e"], expected: "y" }, "f.yaml:5:4: e: found the number 5, expected y"],
    [{ path: [], expected: "y" }, "f.yaml:1:1: found a map, expected y"],
  ])("tells where and what: %j", (problem, message) => {
    expect(fail(problem)).toBe(message);
  });
});

describe("YamlFile.placeOf", () => {
  const text = "\ufeffa:\r\n  - b: x\r\n  - 'c'\nlast: 1";
  const file = read(text);

  it.each([
    [{ path: ["a", 0, "b"] }, { line: 2, column: 8, lineText: "  - b: x" }],
    [
      { path: ["a", 0, "b"], isKey: true },
      { line: 2, column: 5, lineText: "  - b: x" },
    ],
    [{ path: ["a", 1] }, { line: 3, column: 5, lineText: "  - 'c'" }],
    [{ path: ["a", 1, "nothing"] }, { line: 3, column: 5, lineText: "  - 'c'" }],
    [{ path: ["last"] }, { line: 4, column: 7, lineText: "last: 1" }],
  ])("is the place of a value or its key, with the line as it stands: %j", (at, place) => {
    expect(file.placeOf(at)).toEqual({ file: "f.yaml", ...place });
    expect(file.lineOf(at)).toBe(place.line);
  });

  it("is told by every rejection, also where there is no value", () => {
    const at = (bad: string) => rejection(() => read(bad)).place;
    expect(at("a: 1\r\na: 2\r\n")).toEqual({ file: "f.yaml", line: 2, column: 1, lineText: "a: 2" });
    expect(at("a: 1\nb: [")).toEqual({ file: "f.yaml", line: 2, column: 5, lineText: "b: [" });
    expect(rejection(() => read("").fail({ path: [], expected: "y" })).place).toEqual({
      file: "f.yaml",
      line: 1,
      column: 1,
      lineText: "",
    });
    const { lineText, ...place } = at(`first\n${"x".repeat(1024 * 1024)}`) ?? {};
    expect([place, lineText]).toEqual([{ file: "f.yaml", line: 1, column: 1 }, "first"]);
  });
});
