import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, equalBytes } from "../../src/core/encoding/bytes.ts";
import { decodeDagCbor, encodeDagCbor } from "../../src/core/encoding/dag-cbor.ts";
import { arbitraryDagCbor, flipBit } from "../support/arbitrary-dag-cbor.ts";
import { codeOf } from "../support/rejection.ts";

const CODE = "record.malformed";
const decode = (bytes: Uint8Array) => decodeDagCbor(bytes, CODE, "the test");

/** Refused with the code given, or read into a value of which these are the only bytes. */
function expectRefusedOrCanonical(bytes: Uint8Array): void {
  let again: Uint8Array | undefined;
  const code = codeOf(() => {
    again = encodeDagCbor(decode(bytes));
  });
  expect(code === CODE || (again !== undefined && equalBytes(again, bytes))).toBe(true);
}

describe("DAG-CBOR", () => {
  it("reads back every value", () => {
    fc.assert(
      fc.property(arbitraryDagCbor, (value) => {
        // The encoder may answer with a Buffer, which is another type to toEqual.
        expect(decode(Uint8Array.from(encodeDagCbor(value)))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("has one encoding for a value: other bytes are another value, or none", () => {
    fc.assert(
      fc.property(arbitraryDagCbor, fc.nat(), (value, seed) => {
        const bytes = encodeDagCbor(value);
        expectRefusedOrCanonical(flipBit(bytes, seed % (bytes.length * 8)));
      }),
      { numRuns: 1000 },
    );
  });

  it("is neither cut off nor followed by anything", () => {
    fc.assert(
      fc.property(arbitraryDagCbor, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 5 }), (value, seed, more) => {
        const bytes = encodeDagCbor(value);
        expect(codeOf(() => decode(bytes.subarray(0, seed % bytes.length)))).toBe(CODE);
        expect(codeOf(() => decode(concatBytes(bytes, more)))).toBe(CODE);
      }),
      { numRuns: 300 },
    );
  });

  it("is refused or canonical whatever the bytes are", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), expectRefusedOrCanonical), { numRuns: 3000 });
  });

  it("is refused or canonical whatever it is nested in", () => {
    const openers = [[0x81], [0x82, 0x00], [0xa1, 0x61, 0x61], [0xd8, 0x2a], [0x9f], [0xbf], [0xc1], [0x7f], [0x5f]];
    fc.assert(
      fc.property(fc.constantFrom(...openers), fc.constantFrom(1, 63, 64, 65, 1000, 60_000), (opener, depth) => {
        const bytes = new Uint8Array(opener.length * depth + 1);
        for (let i = 0; i < depth; i++) bytes.set(opener, i * opener.length);
        expectRefusedOrCanonical(bytes);
      }),
      { numRuns: 100 },
    );
  });
});
