import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../../src/core/encoding/bytes.ts";
import { Cid } from "../../../../src/core/encoding/cid.ts";
import { type DagCbor, decodeDagCbor, encodeDagCbor, isDagCborMap } from "../../../../src/core/encoding/dag-cbor.ts";
import { encodeBlock } from "../../../support/forged-proof.ts";
import { codeOf } from "../../../support/rejection.ts";

const decode = (bytes: Uint8Array) => decodeDagCbor(bytes, "record.malformed", "the test");
const CID_HEX = `01711220${"ab".repeat(32)}`;

const VALUES: [string, DagCbor, string][] = [
  ["zero", 0, "00"],
  ["23", 23, "17"],
  ["24", 24, "1818"],
  ["2^16", 65536, "1a00010000"],
  ["2^53 - 1", Number.MAX_SAFE_INTEGER, "1b001fffffffffffff"],
  ["2^64 - 1", 18446744073709551615n, "1bffffffffffffffff"],
  ["-1", -1, "20"],
  ["-2^64", -18446744073709551616n, "3bffffffffffffffff"],
  ["true", true, "f5"],
  ["false", false, "f4"],
  ["null", null, "f6"],
  ["an empty text", "", "60"],
  ["a text", "a€😀", "6861e282acf09f9880"],
  ["a text that begins with a byte order mark", "\ufeffa", "64efbbbf61"],
  ["no bytes", new Uint8Array(), "40"],
  ["bytes", Uint8Array.of(1, 2), "420102"],
  ["an empty list", [], "80"],
  ["a list", [1, [null]], "820181f6"],
  ["an empty map", new Map(), "a0"],
  ["a CID", new Cid(fromHex(CID_HEX)), `d82a582500${CID_HEX}`],
  [
    "CIDs before other values of a map",
    new Map<string, DagCbor>([
      ["a", new Cid(fromHex(CID_HEX))],
      ["b", [new Cid(fromHex(CID_HEX)), 1]],
      ["c", 2],
    ]),
    `a36161d82a582500${CID_HEX}616282d82a582500${CID_HEX}01616302`,
  ],
  // Length of the key in bytes goes first (DAG-CBOR, "Strictness"), then bytewise.
  [
    "a map in order",
    new Map<string, DagCbor>([
      ["b", 1],
      ["aa", 2],
      ["zz", 3],
      ["é", 4],
      ["aaa", new Map([["__proto__", [new Cid(fromHex(CID_HEX))]]])],
    ]),
    `a5616201626161 02 627a7a03 62c3a904 63616161 a1695f5f70726f746f5f5f 81d82a582500${CID_HEX}`.replaceAll(" ", ""),
  ],
];

describe("a value", () => {
  it.each(VALUES)("%s has one encoding, both ways", (_, value, hex) => {
    expect(toHex(encodeDagCbor(value))).toBe(hex);
    expect(decode(fromHex(hex))).toEqual(value);
  });

  it("is encoded as the reference does, whatever order its keys came in", async () => {
    const plain = { zz: 1, a: [true, null, "x"], b: { y: Uint8Array.of(1), x: -5 } };
    const { bytes } = await encodeBlock(plain);
    const map = new Map<string, DagCbor>([
      ["zz", 1],
      ["a", [true, null, "x"]],
      [
        "b",
        new Map<string, DagCbor>([
          ["y", Uint8Array.of(1)],
          ["x", -5],
        ]),
      ],
    ]);
    expect(encodeDagCbor(map)).toEqual(Uint8Array.from(bytes));
  });

  it("is read from a Node Buffer too", () => {
    expect(toHex(encodeDagCbor(decode(Buffer.from("a2616143414243616260", "hex"))))).toBe("a2616143414243616260");
  });

  it("is a map or not", () => {
    expect(isDagCborMap(new Map())).toBe(true);
    for (const other of [undefined, null, [], "a", new Cid(new Uint8Array())]) expect(isDagCborMap(other)).toBe(false);
  });
});

describe("decoding refuses", () => {
  it.each([
    ["nothing", ""],
    ["a second value", "0000"],
    ["an integer not in shortest form", "1817"],
    ["an integer in eight bytes without need", "1b00000000ffffffff"],
    ["a length not in shortest form", "580100"],
    ["a text length not in shortest form", "780161"],
    ["a list length not in shortest form", "980100"],
    ["a map length not in shortest form", "b801616100"],
    ["a tag not in shortest form", `d9002a582500${CID_HEX}`],
    ["a half float", "f93c00"],
    ["a float", "fa3fc00000"],
    ["a double", "fb3ff199999999999a"],
    ["a float that is shortest as half", "f93e00"],
    ["NaN", "f97e00"],
    ["Infinity", "f97c00"],
    ["-Infinity", "f9fc00"],
    ["undefined", "f7"],
    ["a simple value", "e0"],
    ["a simple value in two bytes", "f8ff"],
    ["a text of indefinite length", "7f6161ff"],
    ["bytes of indefinite length", "5f4101ff"],
    ["a list of indefinite length", "9f01ff"],
    ["a map of indefinite length", "bf616101ff"],
    ["a break", "ff"],
    ["a break in a list", "8101ff"],
    ["a break in place of an item", "81ff"],
    ["a break in place of a value", "a16161ff"],
    ["a break in a tag", "d82aff"],
    ["reserved lengths", "1c"],
    ["keys in the wrong order", "a2616200616100"],
    ["keys sorted by bytes before length", "a262616100616200"],
    ["a key twice", "a2616100616101"],
    ["a key that is an integer", "a10000"],
    ["a second key that is an integer", "a26161000000"],
    ["a key that is bytes", "a1416100"],
    ["a key that is a list", "a18000"],
    ["a key that is a map", "a1a000"],
    ["a key that is a CID", `a1d82a582500${CID_HEX}00`],
    ["a key that is null", "a1f600"],
    ["a key inside a list that is an integer", "81a10000"],
    ["an integer key after a list in the map", "a261618200010000"],
    ["text that is no UTF-8", "61ff"],
    ["a surrogate", "63eda080"],
    ["a key that is no UTF-8", "a161ff00"],
    ["long text that is no UTF-8", `7828${"61".repeat(39)}ff`],
    ["another tag", "c249010000000000000000"],
    ["a tag 42 of text", "d82a6161"],
    ["a tag 42 of a tag 42", `d82ad82a582500${CID_HEX}`],
    ["a tag 42 of nothing", "d82a"],
    ["a CID without the multibase prefix", `d82a5824${CID_HEX}`],
    ["a CID with another multibase prefix", `d82a582501${CID_HEX}`],
    ["a CID of no bytes", "d82a40"],
    ["a CID of the prefix alone", "d82a4100"],
    ["a list that is cut off", "8200"],
    ["a map that is cut off", "a1"],
    ["a map cut off before its value", "a16161"],
    ["text that is cut off", "6261"],
    ["bytes that are cut off", "420a"],
    ["a list of 2^53 items", "9b001fffffffffffff"],
    ["a list of 2^64 items", "9bffffffffffffffff"],
    ["a map of 2^53 items", "bb001fffffffffffff"],
    ["text of 2^53 bytes", "7b001fffffffffffff"],
  ])("%s", (_, hex) => {
    expect(codeOf(() => decode(fromHex(hex)))).toBe("record.malformed");
  });

  it("what is nested deeper than 64", () => {
    expect(codeOf(() => decode(fromHex(`${"81".repeat(64)}00`)))).toBe("none");
    expect(codeOf(() => decode(fromHex(`${"81".repeat(65)}00`)))).toBe("record.malformed");
    expect(codeOf(() => decode(fromHex(`${"a16161".repeat(64)}00`)))).toBe("none");
    expect(codeOf(() => decode(fromHex(`${"a16161".repeat(65)}00`)))).toBe("record.malformed");
    expect(codeOf(() => decode(fromHex(`${"81".repeat(64)}80`)))).toBe("record.malformed");
    expect(codeOf(() => decode(fromHex("8180")))).toBe("none");
  });

  it("what would overflow the stack", () => {
    expect(codeOf(() => decode(new Uint8Array(200_000).fill(0x81)))).toBe("record.malformed");
    expect(codeOf(() => decode(fromHex("d82a".repeat(200_000))))).toBe("record.malformed");
  });

  it("what has more than 128 KiB", () => {
    const ofLength = (length: number) => encodeDagCbor(new Uint8Array(length - 5));
    expect(ofLength(131_072)).toHaveLength(131_072);
    expect(codeOf(() => decode(ofLength(131_072)))).toBe("none");
    expect(codeOf(() => decode(ofLength(131_073)))).toBe("record.malformed");
  });

  it("nothing that is wide but flat", () => {
    const wide = Array.from({ length: 1000 }, () => new Map([["a", []]]));
    expect(decode(encodeDagCbor(wide))).toEqual(wide);
  });
});

describe("a block", () => {
  const block = (length: number) => encodeDagCbor(new Uint8Array(length));
  const HEAD = 5;

  it("of 128 KiB is decoded, one byte more is not", () => {
    expect(decode(block(128 * 1024 - HEAD))).toHaveLength(128 * 1024 - HEAD);
    expect(codeOf(() => decode(block(128 * 1024 - HEAD + 1)))).toBe("record.malformed");
  });

  it("is bounded lower where what it holds is smaller", () => {
    const small = (length: number) => decodeDagCbor(block(length), "commit.malformed", "the test", 1024);
    expect(small(1000)).toHaveLength(1000);
    expect(codeOf(() => small(1024))).toBe("commit.malformed");
  });
});
