import { describe, expect, it } from "vitest";
import type { BundledImage } from "../../../../src/core/evidence/bundled-image.ts";
import { ProvenIdentities } from "../../../../src/core/verify/bundle-proof.ts";
import { mergedImages } from "../../../../src/core/verify/merge-images.ts";
import { ATCR, bundled, gatheredAt } from "../../../support/bundled.ts";
import { DIGEST, digestOf, gap, NOW, pointer, SIGNED, signer, TAG } from "../../../support/evidence.ts";
import { MANIFEST_COLLECTION } from "../../../support/signed-repo.ts";

const DAY = 86_400_000;
const alice = await signer({ name: "alice", tag: {} });
const bob = await signer({ name: "bob" });
const signed = await alice.evidence();
const tagged = { ...signed, tag: await alice.tag() };
const his = await bob.evidence();
await alice.repo.delete(MANIFEST_COLLECTION, DIGEST.slice("sha256:".length), SIGNED + 1000);
const deleted = await alice.evidence();
const spoilt = { ...signed, record: { ...signed.identity, bytes: new Uint8Array() } };

function merged(...images: readonly BundledImage[]): readonly BundledImage[] {
  const steps = mergedImages(images, ATCR, new ProvenIdentities());
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

const signaturesOf = (images: readonly BundledImage[]) => images.map(({ evidence }) => evidence.signatures);

describe("merged images", () => {
  it("have each digest once, with all names, pointers and gaps", () => {
    const other = bundled([], ["registry.example/team/b"], digestOf("b"));
    const one = { ...bundled([signed], ["registry.example/team/z"]) };
    const two = bundled([his], ["registry.example/team/a", "registry.example/team/z"]);
    const more = {
      ...two,
      evidence: { ...two.evidence, pointers: [pointer(bob.did)], gaps: [gap("registry.unreachable")] },
    };
    const found = merged(one, other, more, more);
    expect(found.map(({ digest }) => digest)).toEqual([DIGEST, digestOf("b")]);
    expect(found[0]?.names).toEqual(["registry.example/team/a", "registry.example/team/z"]);
    expect(found[0]?.evidence).toEqual({
      pointers: [pointer(bob.did)],
      gaps: [gap("registry.unreachable")],
      signatures: [signed, his],
    });
  });

  it("keep the newest of each question in any order, a no included", () => {
    expect(signaturesOf(merged(bundled([signed]), bundled([deleted])))).toEqual([[deleted]]);
    expect(signaturesOf(merged(bundled([deleted]), bundled([signed])))).toEqual([[deleted]]);
    const later = gatheredAt(NOW + DAY, signed);
    expect(signaturesOf(merged(bundled([later]), bundled([signed])))).toEqual([[later]]);
    expect(signaturesOf(merged(bundled([signed]), bundled([later])))).toEqual([[later]]);
  });

  it("keep a tag beside the digest", () => {
    const found = merged(bundled([tagged], [`registry.example/team/app:${TAG}`]), bundled([signed]));
    expect(signaturesOf(found)).toEqual([[tagged, signed]]);
  });

  it("keep what proves nothing only where the signer has nothing better", () => {
    expect(signaturesOf(merged(bundled([spoilt]), bundled([signed])))).toEqual([[signed]]);
    expect(signaturesOf(merged(bundled([signed]), bundled([gatheredAt(NOW - DAY, spoilt)])))).toEqual([[signed]]);
    expect(signaturesOf(merged(bundled([spoilt, his])))).toEqual([[spoilt, his]]);
  });

  it("give all evidence of a signer their newest log", async () => {
    const carol = await signer({ name: "carol" });
    const before = await carol.evidence();
    await carol.log.update({ handle: "carol2.test" }, { at: NOW - DAY });
    const after = await carol.evidence();
    const other = bundled([after], undefined, digestOf("b"));
    const found = merged(bundled([before]), other);
    expect(found[0]?.evidence.signatures[0]).toEqual({ ...before, identity: after.identity });
  });

  it("keep the owner that was asked last", () => {
    const owned = (fetchedAt: number): BundledImage => {
      const image = bundled([]);
      return {
        ...image,
        evidence: { ...image.evidence, owner: { handle: "alice.test", did: alice.did, source: "", fetchedAt } },
      };
    };
    expect(merged(owned(NOW), owned(NOW + 1), owned(NOW - 1))[0]?.evidence.owner?.fetchedAt).toBe(NOW + 1);
  });
});
