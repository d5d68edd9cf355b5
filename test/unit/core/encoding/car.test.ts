import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { readCar } from "../../../../src/core/encoding/car.ts";
import { Cid, cidOf } from "../../../../src/core/encoding/cid.ts";
import { type DagCbor, encodeDagCbor } from "../../../../src/core/encoding/dag-cbor.ts";
import { type Block, carFile, encodeBlock, rawCar, varint } from "../../../support/forged-proof.ts";
import { codeOf } from "../../../support/rejection.ts";

const one: Block = block(toUtf8("one"), "raw");
const two: Block = block(encodeDagCbor(new Map([["two", 2]])), "dag-cbor");
const rootOfTwo = new Cid(two.cid);

function block(bytes: Uint8Array, codec: "raw" | "dag-cbor"): Block {
  return { cid: cidOf(codec, bytes).bytes, bytes };
}

function headerOf(fields: Record<string, DagCbor>): Uint8Array {
  return encodeDagCbor(new Map(Object.entries(fields)));
}

const header = headerOf({ version: 1, roots: [rootOfTwo] });

describe("a CAR", () => {
  it("is read into its root and its blocks", async () => {
    const { root, blocks } = readCar(await carFile([two.cid], [one, two]));
    expect(root.bytes).toEqual(rootOfTwo.bytes);
    expect([...blocks]).toEqual([
      [new Cid(one.cid).toString(), one.bytes],
      [rootOfTwo.toString(), two.bytes],
    ]);
  });

  it("may repeat blocks, hold unlinked and empty ones, and lack that of its root", () => {
    const empty = block(new Uint8Array(), "raw");
    expect(readCar(rawCar(header, [one, one, empty])).blocks.size).toBe(2);
    expect(readCar(rawCar(header, [])).blocks.size).toBe(0);
  });

  it("may have blocks of more than 127 bytes", async () => {
    const large = await encodeBlock({ text: "x".repeat(70_000) });
    const { blocks } = readCar(rawCar(header, [{ cid: large.cid.bytes, bytes: large.bytes }]));
    expect(blocks.get(large.cid.toString())).toEqual(large.bytes);
  });
});

describe("the header of a CAR", () => {
  it.each([
    ["version 2", headerOf({ version: 2, roots: [rootOfTwo] })],
    ["version 1 as text", headerOf({ version: "1", roots: [rootOfTwo] })],
    ["no version", headerOf({ roots: [rootOfTwo] })],
    ["no roots", headerOf({ version: 1 })],
    ["an empty list of roots", headerOf({ version: 1, roots: [] })],
    ["two roots", headerOf({ version: 1, roots: [rootOfTwo, rootOfTwo] })],
    ["roots that are no list", headerOf({ version: 1, roots: rootOfTwo })],
    ["a root that is no CID", headerOf({ version: 1, roots: ["bafy"] })],
    ["a root that is null", headerOf({ version: 1, roots: [null] })],
    ["a raw root", headerOf({ version: 1, roots: [new Cid(one.cid)] })],
    ["a root of version 0", headerOf({ version: 1, roots: [new Cid(two.cid.subarray(2))] })],
    ["a list in place of the map", encodeDagCbor([1, [rootOfTwo]])],
    ["something after it", concatBytes(header, Uint8Array.of(0))],
    ["keys in another order", concatBytes(fromHex("a2"), header.subarray(-9), header.subarray(1, -9))],
    ["no bytes", new Uint8Array()],
  ])("is refused with %s", (_, bytes) => {
    expect(codeOf(() => readCar(rawCar(bytes, [two])))).toBe("car.malformed");
  });
});

describe("the header of a CAR, in bytes", () => {
  it("has 1 KiB at most", () => {
    const filled = (length: number) => headerOf({ version: 1, roots: [rootOfTwo], filler: new Uint8Array(length) });
    const room = 1024 - filled(256).length + 256;
    expect(filled(room)).toHaveLength(1024);
    expect(codeOf(() => readCar(rawCar(filled(room), [two])))).toBe("none");
    expect(codeOf(() => readCar(rawCar(filled(room + 1), [two])))).toBe("car.malformed");
  });
});

describe("a block of a CAR", () => {
  const read = (...blocks: Block[]) => codeOf(() => readCar(rawCar(header, blocks)));

  it("must hash to its CID, linked or not", () => {
    expect(read(two, { cid: two.cid, bytes: one.bytes })).toBe("car.hash_mismatch");
    expect(read({ cid: one.cid, bytes: two.bytes }, two)).toBe("car.hash_mismatch");
    expect(read({ cid: two.cid, bytes: new Uint8Array() })).toBe("car.hash_mismatch");
    expect(read(two, { cid: two.cid, bytes: concatBytes(two.bytes, Uint8Array.of(0)) })).toBe("car.hash_mismatch");
  });

  it("must have a CID of version 1, DAG-CBOR or raw, SHA-256", () => {
    const withByte = (at: number, value: number): Block => {
      const cid = Uint8Array.from(two.cid);
      cid[at] = value;
      return { cid, bytes: two.bytes };
    };
    expect(read(withByte(0, 0))).toBe("car.malformed");
    expect(read(withByte(1, 0x70))).toBe("car.malformed");
    expect(read(withByte(2, 0x13))).toBe("car.malformed");
    expect(read(withByte(3, 31))).toBe("car.malformed");
    expect(read({ cid: two.cid.subarray(2), bytes: two.bytes })).toBe("car.malformed"); // version 0
    // An identity "hash" of nothing, and one of the block itself.
    expect(read({ cid: fromHex("01710000"), bytes: new Uint8Array() })).toBe("car.malformed");
    expect(read({ cid: fromHex("01710001f6"), bytes: fromHex("f6") })).toBe("car.malformed");
  });

  it("must not be empty or shorter than a CID", () => {
    expect(read({ cid: new Uint8Array(), bytes: new Uint8Array() })).toBe("car.malformed");
    expect(read({ cid: two.cid.subarray(0, 35), bytes: new Uint8Array() })).toBe("car.malformed");
  });

  it("is one of 1,024 at most", () => {
    const repeated = (count: number) => Array.from({ length: count }, () => one);
    expect(read(...repeated(1024))).toBe("none");
    expect(read(...repeated(1025))).toBe("car.malformed");
  });
});

describe("the lengths in a CAR", () => {
  const whole = rawCar(header, [one, two]);
  const boundaries = [
    rawCar(header, []).length, // a CAR without blocks
    rawCar(header, [one]).length,
  ];

  it("leave nothing truncated", () => {
    for (let end = 0; end < whole.length; end++) {
      const expected = boundaries.includes(end) ? "none" : "car.malformed";
      expect(codeOf(() => readCar(whole.subarray(0, end)))).toBe(expected);
    }
  });

  it("leave nothing over", () => {
    expect(codeOf(() => readCar(concatBytes(whole, Uint8Array.of(0))))).toBe("car.malformed");
    expect(codeOf(() => readCar(concatBytes(whole, Uint8Array.of(5, 1))))).toBe("car.malformed");
  });

  const sectionOf = (length: Uint8Array, ...content: Uint8Array[]) =>
    codeOf(() => readCar(concatBytes(rawCar(header, []), length, ...content)));

  it("are in shortest form", () => {
    const length = two.cid.length + two.bytes.length;
    expect(sectionOf(varint(length), two.cid, two.bytes)).toBe("none");
    expect(sectionOf(Uint8Array.of(length | 0x80, 0), two.cid, two.bytes)).toBe("car.malformed");
    expect(sectionOf(Uint8Array.of(length | 0x80, 0x80, 0), two.cid, two.bytes)).toBe("car.malformed");
  });

  it("are not believed when they are huge", () => {
    for (const length of [
      varint(2 ** 32 + two.cid.length + two.bytes.length), // right modulo 2^32
      varint(2 ** 35 - 1),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
      new Uint8Array(1000).fill(0xff),
    ]) {
      expect(sectionOf(length, two.cid, two.bytes)).toBe("car.malformed");
    }
  });
});
