import fc from "fast-check";
import { Cid, cidOf } from "../../src/core/encoding/cid.ts";
import type { DagCbor } from "../../src/core/encoding/dag-cbor.ts";

const bytes = fc.uint8Array({ maxLength: 40 });
/** Well-formed text; DAG-CBOR holds no other. */
const text = fc.string({ unit: "binary", maxLength: 30 });

/** Any CID: some can be followed, others only occur in a block. */
export const arbitraryCid: fc.Arbitrary<Cid> = fc.oneof(
  bytes.map((content) => cidOf("dag-cbor", content)),
  bytes.map((content) => cidOf("raw", content)),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((any) => new Cid(any)),
);

/** Any value of the data model. */
export const arbitraryDagCbor: fc.Arbitrary<DagCbor> = fc.letrec<{ value: DagCbor }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
    text,
    bytes.map((value) => Uint8Array.from(value)),
    arbitraryCid,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 5 }).map((entries) => new Map(entries)),
  ),
})).value;

/** The same bytes with one bit flipped; bit 0 is the lowest of the first byte. */
export function flipBit(original: Uint8Array, bit: number): Uint8Array {
  const changed = Uint8Array.from(original);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}
