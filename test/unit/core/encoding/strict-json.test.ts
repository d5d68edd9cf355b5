import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { parseStrictJson } from "../../../../src/core/encoding/strict-json.ts";
import { codeOf, rejectionOf } from "../../../support/rejection.ts";

const parse = (text: string) => parseStrictJson(toUtf8(text), "input.malformed", "the test");

describe("parseStrictJson", () => {
  it.each([
    "0",
    '""',
    "[]",
    '{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}',
    '{"a": "b:c", "d\\": ": "{[:", "e\\\\": "\\\\"}',
    '{"a\\":b:": 1}',
    '{"": 1, " ": 2}',
    '{"1": 1, "01": 2, "__proto__": 3, "constructor": 4}',
    '{"a": "\\u0022:\\u0022", "ä": "😀"}',
  ])("reads %s as JSON.parse does", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it.each([
    ["the same key twice", '{"a": 1, "a": 1}'],
    ["in an inner object", '[{"b": {"a": 1, "c": {}, "a": 2}}]'],
    ["a key that is spelled in two ways", '{"a": 1, "\\u0061": 2}'],
    ["a key with a colon", '{"a:b": 1, "a:b": 2}'],
    ["a first value that has members of its own", '{"a": {"b": 1, "c": 2}, "a": 1}'],
    ["a last value that has more members", '{"a": 1, "a": {"b": 1, "c": 2}}'],
    ["__proto__ twice", '{"__proto__": 1, "__proto__": 2}'],
  ])("refuses %s", (_, text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(codeOf(() => parse(text))).toBe("input.malformed");
  });

  it("refuses what is too deep, in lists and in objects", () => {
    const list = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
    expect(codeOf(() => parse(list(64)))).toBe("none");
    expect(rejectionOf(() => parse(list(65))).message).toContain("64 levels");
    expect(codeOf(() => parse(`${'{"a":'.repeat(64)}1${"}".repeat(64)}`))).toBe("none");
    expect(codeOf(() => parse(`${'{"a":'.repeat(65)}1${"}".repeat(65)}`))).toBe("input.malformed");
    // Brackets in strings, and beside each other, are no depth.
    expect(codeOf(() => parse(`["${"[".repeat(1000)}", ${"[[]],".repeat(1000)} 1]`))).toBe("none");
    expect(codeOf(() => parse("[".repeat(1_000_000)))).toBe("input.malformed");
  });

  it.each(["", "{", '{"a"', '"', '"\\', '{"a" 1}', "{'a': 1}", '{"a": 1}}', ":::", '{"a": 1,}', "\ufeff{}"])(
    "refuses %j, which is no JSON",
    (text) => {
      expect(codeOf(() => parse(text))).toBe("input.malformed");
    },
  );

  it("refuses more values than fit into memory, and counts none in strings", () => {
    const items = (count: number) => `[${Array.from({ length: count }, () => "{}").join(",")}]`;
    expect(codeOf(() => parse(items(49_999)))).toBe("none");
    expect(codeOf(() => parse(items(50_001)))).toBe("input.malformed");
    expect(codeOf(() => parse(`[${"0,".repeat(100_001)}0]`))).toBe("input.malformed");
    expect(codeOf(() => parse(`["${",[{".repeat(100_000)}"]`))).toBe("none");
  });

  it("refuses what is no UTF-8, in strings too", () => {
    const bytes = Uint8Array.of(0x22, 0xc3, 0x22);
    expect(codeOf(() => parseStrictJson(bytes, "input.malformed", "the test"))).toBe("input.malformed");
  });
});
