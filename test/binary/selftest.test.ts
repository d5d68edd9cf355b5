import { describe, expect, it } from "vitest";
import { ask, headline } from "../support/binary.ts";
import { loadVectors } from "../vectors/load.ts";

describe("atcr-verify selftest", () => {
  it("judges all vectors in the binary as they must be", async () => {
    const { code, stdout, stderr } = await ask(["selftest", "--output", "json"]);
    const { allowed, refused, surprises } = JSON.parse(stdout) as {
      allowed: number;
      refused: number;
      surprises: unknown[];
    };
    expect([code, stderr, surprises, allowed + refused]).toEqual([0, "", [], loadVectors().length]);
    expect((await ask(["selftest"])).stdout).toMatch(
      /^atcr-verify \S+ [0-9a-f]{12}: \d+ to allow, \d+ to refuse: all as expected\n$/,
    );
  });

  it("takes no operand", async () => {
    expect(headline(await ask(["selftest", "x"]))).toBe("3 misconfigured input.malformed");
  });
});
