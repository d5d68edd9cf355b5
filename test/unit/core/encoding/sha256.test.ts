import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { toHex, toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { hmacSha256 } from "../../../../src/core/encoding/sha256.ts";

describe("hmacSha256", () => {
  it("is that of RFC 4231, test case 2, however its text is cut", () => {
    const expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const text = "what do ya want for nothing?";
    for (let at = 0; at <= text.length; at++) {
      const parts = [text.slice(0, at), text.slice(at)].map(toUtf8);
      expect(toHex(hmacSha256(toUtf8("Jefe"), ...parts))).toBe(expected);
    }
  });

  it("takes a key of any length", () => {
    for (const length of [0, 31, 32, 64, 65, 200]) {
      const key = new Uint8Array(length).fill(7);
      expect(toHex(hmacSha256(key, toUtf8("text")))).toBe(createHmac("sha256", key).update("text").digest("hex"));
    }
  });
});
