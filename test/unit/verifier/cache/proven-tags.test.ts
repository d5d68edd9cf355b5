import { describe, expect, it } from "vitest";
import type { Attempt } from "../../../../src/core/verify/verdict.ts";
import { ProvenTags } from "../../../../src/verifier/cache/proven-tags.ts";
import { DIGEST, digestOf, signer, TAG } from "../../../support/evidence.ts";

describe("ProvenTags", () => {
  it("proves again what is another answer, image, tag or repository, and nothing else", async () => {
    const alice = await signer({ name: "alice", tag: {} });
    const evidence = { ...(await alice.evidence()), tag: await alice.tag() };
    const { tag: _, ...untagged } = evidence;
    const target = { digest: DIGEST, tag: TAG, repository: "app" };
    const proven = new ProvenTags();
    let proofs = 0;
    const proofOf = (...[signature, sought]: [typeof evidence | typeof untagged, typeof target]): number => {
      const before = proofs;
      proven.of(signature, sought, () => ({ number: ++proofs }) as unknown as Attempt);
      return proofs - before;
    };
    expect([proofOf(evidence, target), proofOf({ ...evidence }, { ...target })]).toEqual([1, 0]);
    const again = { ...evidence.identity };
    expect(proofOf({ ...evidence, identity: again }, target)).toBe(1);
    expect(proofOf({ ...evidence, identity: again }, target)).toBe(0);
    expect(proofOf({ ...evidence, record: again }, target)).toBe(1);
    expect(proofOf({ ...evidence, tag: again }, target)).toBe(1);
    for (const other of [{ digest: digestOf("other") }, { tag: "other" }, { repository: "other" }]) {
      expect(proofOf(evidence, { ...target, ...other })).toBe(1);
    }
    expect([proofOf(untagged, target), proofOf(untagged, target)]).toEqual([1, 1]);
  });
});
