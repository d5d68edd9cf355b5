import { describe, expect, it } from "vitest";
import { BoundedMap } from "../../../../src/io/store/bounded-map.ts";

const map = (bounds = { count: 3, bytes: 100 }) =>
  new BoundedMap<readonly Uint8Array[]>(bounds, (buffers) => ({ own: 1, buffers }));
const bytes = (length: number) => new Uint8Array(length);

describe("BoundedMap", () => {
  it("removes the values used least recently beyond its count", () => {
    const values = map();
    for (const key of ["a", "b", "c"]) values.set(key, [bytes(1)]);
    values.get("a");
    values.set("d", []);
    expect(["a", "b", "c", "d"].map((key) => values.get(key) !== undefined)).toEqual([true, false, true, true]);
    expect([values.count, values.bytes]).toEqual([3, 5]);
  });

  it("removes as many as it takes to stay below its bytes, itself where it is too large", () => {
    const values = map();
    values.set("a", [bytes(40)]);
    values.set("b", [bytes(40)]);
    values.set("c", [bytes(60)]);
    expect([values.get("a"), values.get("b") === undefined, values.bytes]).toEqual([undefined, true, 61]);
    values.set("d", [bytes(100)]);
    expect([values.count, values.bytes]).toEqual([0, 0]);
  });

  it("counts a shared buffer once, until nobody has it", () => {
    const values = map({ count: 9, bytes: 1000 });
    const shared = bytes(50);
    values.set("a", [shared, bytes(5)]);
    values.set("b", [shared]);
    expect(values.bytes).toBe(57);
    values.set("a", [shared]);
    expect(values.bytes).toBe(52);
    expect([values.delete("a"), values.delete("a"), values.bytes]).toEqual([true, false, 51]);
    expect(values.deleteWhere((buffers) => buffers.includes(shared))).toBe(1);
    expect([values.count, values.bytes]).toEqual([0, 0]);
  });
});
