import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { seal, unseal } from "../../../../src/core/encoding/sealed.ts";

describe("a sealed text", () => {
  it.each(["", "{}", "a text with ü and \u0000"])("is read as it was written: %j", (text) => {
    expect(unseal(seal(text))).toBe(text);
  });

  it("is found out where one bit is another, wherever it is", () => {
    const sealed = seal("some text");
    for (let i = 0; i < sealed.length * 8; i++) {
      const damaged = sealed.map((byte, at) => (at === i >> 3 ? byte ^ (1 << (i & 7)) : byte));
      expect(unseal(damaged)).toBeUndefined();
    }
  });

  it("is found out where it is not whole, or more than that", () => {
    const sealed = seal("some text");
    for (let length = 0; length < sealed.length; length++) expect(unseal(sealed.subarray(0, length))).toBeUndefined();
    expect(unseal(new Uint8Array([...sealed, 32]))).toBeUndefined();
  });

  it("is none where it is no UTF-8, though the seal is right", () => {
    const broken = new Uint8Array([0xff]);
    const sealOfBroken = "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89";
    expect(unseal(new Uint8Array([...toUtf8(sealOfBroken), ...broken]))).toBeUndefined();
  });
});
