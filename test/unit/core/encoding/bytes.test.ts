import { describe, expect, it } from "vitest";
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase58btc,
  fromBase64,
  fromBase64url,
  fromHex,
  fromUtf8,
  toBase58btc,
  toBase64,
  toHex,
  toUtf8,
} from "../../../../src/core/encoding/bytes.ts";

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, i) => i);

describe("hex", () => {
  it("is lower-case and reads back", () => {
    expect(toHex(Uint8Array.of(0, 9, 10, 255))).toBe("00090aff");
    expect(toHex(EVERY_BYTE)).toBe(Buffer.from(EVERY_BYTE).toString("hex"));
    expect(fromHex(toHex(EVERY_BYTE))).toEqual(EVERY_BYTE);
    expect(fromHex("")).toEqual(new Uint8Array());
  });
});

describe("comparison", () => {
  it.each([
    [[], [], 0],
    [[1, 2], [1, 2], 0],
    [[1, 2], [1, 3], -1],
    [[2], [1, 255], 1],
    [[1], [1, 0], -1],
    [[127], [128], -1], // unsigned
    [[], [0], -1],
  ])("of %j and %j is %i", (a, b, expected) => {
    const [left, right] = [Uint8Array.from(a), Uint8Array.from(b)];
    expect(Math.sign(compareBytes(left, right))).toBe(expected);
    expect(Math.sign(compareBytes(right, left))).toBe(expected === 0 ? 0 : -expected);
    expect(equalBytes(left, right)).toBe(expected === 0);
    expect(equalBytes(right, left)).toBe(expected === 0);
  });
});

describe("concatenation", () => {
  it("keeps the order", () => {
    expect(concatBytes()).toEqual(new Uint8Array());
    expect(concatBytes(Uint8Array.of(1, 2), new Uint8Array(), Uint8Array.of(3))).toEqual(Uint8Array.of(1, 2, 3));
  });
});

describe("UTF-8", () => {
  it("reads back, a byte order mark included", () => {
    for (const text of ["", "abc", "ä€😀", "\ufeffabc", "\0"]) expect(fromUtf8(toUtf8(text))).toBe(text);
  });

  it.each([
    ["a lone continuation byte", [0x80]],
    ["a cut-off sequence", [0xe2, 0x82]],
    ["an overlong form", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a code point above U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a byte that never occurs", [0xff]],
  ])("is refused with %s", (_, bytes) => {
    expect(fromUtf8(Uint8Array.from(bytes))).toBeUndefined();
  });
});

describe("base64url", () => {
  it("reads what Node writes, of every length", () => {
    for (let length = 0; length < 70; length++) {
      const bytes = EVERY_BYTE.subarray(200 - length, 200);
      const text = Buffer.from(bytes).toString("base64url");
      expect(fromBase64url(text)).toEqual(Uint8Array.from(bytes));
    }
  });

  it.each([
    ["padding", "AA=="],
    ["pad bits", "AB"],
    ["pad bits of three characters", "AAB"],
    ["a rest of one character", "AAAAA"],
    ["the alphabet of plain base64", "+/+/"],
    ["a space", "AA AA"],
    ["a line break at the end", "AAAA\n"],
    ["another character", "AA!A"],
    ["a letter beyond ASCII", "AAAÄ"],
  ])("is refused with %s", (_, text) => {
    expect(fromBase64url(text)).toBeUndefined();
  });
});

describe("base64", () => {
  it("reads what Node writes, of every length", () => {
    for (let length = 0; length < 70; length++) {
      const bytes = EVERY_BYTE.subarray(200 - length, 200);
      const text = Buffer.from(bytes).toString("base64");
      expect(toBase64(bytes)).toBe(text);
      expect(fromBase64(text)).toEqual(Uint8Array.from(bytes));
    }
  });

  it.each([
    ["missing padding", "AA"],
    ["half of the padding", "AA="],
    ["too much padding", "AAAA===="],
    ["pad bits", "AB=="],
    ["the URL alphabet", "-_-_"],
    ["a line break", "AA\nAA"],
  ])("is refused with %s", (_, text) => {
    expect(fromBase64(text)).toBeUndefined();
  });
});

describe("base58btc", () => {
  it("reads back, leading zeros included", () => {
    // "Hello World!" is the example of draft-msporny-base58 section 5.
    expect(toBase58btc(toUtf8("Hello World!"))).toBe("z2NEpo7TZRRrLZSi2U");
    for (const bytes of [EVERY_BYTE.subarray(0, 35), Uint8Array.of(0, 0, 1), new Uint8Array()]) {
      expect(fromBase58btc(toBase58btc(bytes))).toEqual(bytes);
    }
  });

  it.each([
    ["without its multibase prefix", "2NEpo7TZRRrLZSi2U"],
    ["with another prefix", "Z2NEpo7TZRRrLZSi2U"],
    ["with a character of no meaning", "z2NEpo7TZRRrLZSi20"],
    ["with a space", "z2NEpo7TZ RrLZSi2U"],
    ["empty", ""],
  ])("is refused %s", (_, text) => {
    expect(fromBase58btc(text)).toBeUndefined();
  });

  it("is read up to 256 characters", () => {
    expect(fromBase58btc(`z${"1".repeat(255)}`)).toEqual(new Uint8Array(255));
    expect(fromBase58btc(`z${"1".repeat(256)}`)).toBeUndefined();
  });
});
