import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { field, isJsonObject, parseJson } from "../../../../src/core/encoding/json.ts";
import { codeOf } from "../../../support/rejection.ts";

const parse = (bytes: Uint8Array) => parseJson(bytes, "bundle.malformed", "the test");

describe("parseJson", () => {
  it("reads any JSON value", () => {
    expect(parse(toUtf8(' {"a": [1, null, "ä"]} '))).toEqual({ a: [1, null, "ä"] });
    expect(parse(toUtf8("0"))).toBe(0);
  });

  it.each([
    ["nothing", ""],
    ["something after the value", "{} {}"],
    ["a trailing comma", "[1,]"],
    ["a comment", "/**/{}"],
    ["single quotes", "{'a': 1}"],
    ["a byte order mark", "\ufeff{}"],
  ])("refuses %s", (_, text) => {
    expect(codeOf(() => parse(toUtf8(text)))).toBe("bundle.malformed");
  });

  it("refuses what is no UTF-8", () => {
    expect(codeOf(() => parse(Uint8Array.of(0x22, 0xff, 0x22)))).toBe("bundle.malformed");
  });
});

describe("isJsonObject", () => {
  it("is true of objects alone", () => {
    expect(isJsonObject({})).toBe(true);
    for (const other of [null, [], "{}", 1, true, undefined]) expect(isJsonObject(other)).toBe(false);
  });
});

describe("field", () => {
  it("sees own fields alone", () => {
    const object = parse(toUtf8('{"a": 1, "__proto__": {"b": 2}}'));
    if (!isJsonObject(object)) throw new Error("no object");
    expect(field(object, "a")).toBe(1);
    expect(field(object, "b")).toBeUndefined();
    expect(field(object, "__proto__")).toEqual({ b: 2 });
    for (const inherited of ["constructor", "toString", "hasOwnProperty"]) {
      expect(field(object, inherited)).toBeUndefined();
    }
  });
});
