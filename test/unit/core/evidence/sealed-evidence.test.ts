import { describe, expect, it } from "vitest";
import { privateKey } from "../../../../src/core/atproto/key.ts";
import { writeBundle } from "../../../../src/core/evidence/bundle.ts";
import { readSealedEvidence } from "../../../../src/core/evidence/sealed-evidence.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { bundleOf, DIGEST, digestOf } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

function keyNamed(byte: number) {
  const key = privateKey(new Uint8Array(32).fill(byte));
  if (key === undefined) throw new Error("no scalar");
  return key;
}

const [KEY, OTHER] = [keyNamed(7), keyNamed(8)];
const KEYS = [KEY.key.didKey];
const BUNDLE = bundleOf({});
const SEALED = writeBundle(BUNDLE, KEY);
const digest = (BUNDLE.images[0]?.digest ?? DIGEST) as Digest;

describe("readSealedEvidence", () => {
  it("is dated by the seal of a key that counts", () => {
    const { pieces, gatheredAt, image } = readSealedEvidence(SEALED, digest, KEYS);
    expect([gatheredAt, image.digest]).toEqual([BUNDLE.gatheredAt, digest]);
    for (const piece of pieces) {
      expect(piece.witness).toEqual({ kind: "seal", key: KEY.key.didKey, at: BUNDLE.gatheredAt });
      expect(piece.gatheredAt).toBe(BUNDLE.gatheredAt);
    }
  });

  it("refuses what is not sealed, or by a key that is not listed or no longer", () => {
    expect(codeOf(() => readSealedEvidence(writeBundle(BUNDLE), digest, KEYS))).toBe("bundle.not_accepted");
    expect(codeOf(() => readSealedEvidence(writeBundle(BUNDLE, OTHER), digest, KEYS))).toBe("bundle.not_accepted");
    expect(codeOf(() => readSealedEvidence(SEALED, digest, []))).toBe("bundle.not_accepted");
  });

  it("refuses evidence about another digest", () => {
    const other = digestOf("another image") as Digest;
    expect(codeOf(() => readSealedEvidence(SEALED, other, KEYS))).toBe("input.digest_mismatch");
  });

  it("refuses it with any byte changed", () => {
    for (let i = 0; i < SEALED.length; i++) {
      const changed = Uint8Array.from(SEALED);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect([i, codeOf(() => readSealedEvidence(changed, digest, KEYS))]).toEqual([
        i,
        expect.stringMatching(/^bundle\.(malformed|bad_seal|not_accepted)$/),
      ]);
    }
  });
});
