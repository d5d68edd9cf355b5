import { describe, expect, it } from "vitest";
import { judgeVector } from "../../../../src/verifier/selftest/judge-vector.ts";
import { selftest } from "../../../../src/verifier/selftest/selftest.ts";
import type { Expected } from "../../../../src/verifier/selftest/vector.ts";
import { VECTORS } from "../../../../src/verifier/selftest/vectors.ts";
import { loadVectors } from "../../../vectors/load.ts";

const vectors = loadVectors();

describe("selftest", () => {
  it("finds the vectors as they must be", async () => {
    const { allowed, refused, surprises } = await selftest(vectors);
    expect([allowed + refused, surprises]).toEqual([vectors.length, []]);
    expect(Math.min(allowed, refused)).toBeGreaterThan(20);
  });

  it("has one for each proof that can fail", () => {
    const codes = new Set(vectors.map(({ expected }) => expected.code));
    for (const code of [
      "commit.bad_signature",
      "car.hash_mismatch",
      "mst.incomplete_proof",
      "record.absent",
      "identity.log_invalid",
      "commit.superseded_key",
    ] as const) {
      expect(codes).toContain(code);
    }
  });

  it("notices a program that allows everything, refuses everything, or breaks", async () => {
    const allows = async (): Promise<Expected> => ({ outcome: "allow", because: "signed" });
    const refuses = async (): Promise<Expected> => ({ outcome: "deny", code: "signature.none" });
    const breaks = async (): Promise<Expected> => {
      throw new Error("no curve");
    };
    const { refused, allowed } = await selftest(vectors);
    expect((await selftest(vectors, allows)).surprises.length).toBeGreaterThanOrEqual(refused);
    expect((await selftest(vectors, refuses)).surprises.length).toBeGreaterThanOrEqual(allowed);
    expect((await selftest(vectors, breaks)).surprises).toHaveLength(vectors.length);
    expect((await selftest(vectors, breaks)).surprises[0]?.found).toContain("no curve");
  });

  it("notices one check that is left out", async () => {
    const withoutSignatures = async (vector: (typeof vectors)[number]): Promise<Expected> => {
      const found = await judgeVector(vector);
      return found.code === "commit.bad_signature" ? { outcome: "allow", because: "signed" } : found;
    };
    const { surprises } = await selftest(vectors, withoutSignatures);
    expect(surprises.length).toBeGreaterThan(0);
    expect(surprises.every(({ vector }) => vector.startsWith("commit.bad_signature"))).toBe(true);
  });

  it("has no vectors where nothing was built", () => {
    expect(VECTORS).toEqual([]);
  });
});
