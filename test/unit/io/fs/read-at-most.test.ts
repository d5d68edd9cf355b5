import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { readAtMost } from "../../../../src/io/fs/read-at-most.ts";

async function* stream(...chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield toUtf8(chunk);
}

describe("reading to the end", () => {
  it("joins what comes", async () => {
    expect(await readAtMost(stream("ab", "", "c"), 3)).toEqual(Buffer.from("abc"));
    expect(await readAtMost(stream(), 0)).toEqual(Buffer.from(""));
  });

  it("ends at the cap, and closes a stream that has none", async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield toUtf8("abc");
      } finally {
        closed = true;
      }
    }
    expect(await readAtMost(endless(), 1000)).toBeUndefined();
    expect(closed).toBe(true);
    expect(await readAtMost(stream("ab", "cd"), 3)).toBeUndefined();
  });
});
