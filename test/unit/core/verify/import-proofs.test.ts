import { describe, expect, it } from "vitest";
import type { ImportedIdentity, ImportedPiece } from "../../../../src/core/evidence/imported-piece.ts";
import { type BundleProof, ProvenIdentities } from "../../../../src/core/verify/bundle-proof.ts";
import { addToPiece, newerIdentity } from "../../../../src/core/verify/import-proofs.ts";
import { ATCR, gatheredAt, proofOf } from "../../../support/bundled.ts";
import { DIGEST, NOW, recordOf, SIGNED, signer, TAG } from "../../../support/evidence.ts";
import { MANIFEST_COLLECTION } from "../../../support/signed-repo.ts";

const [HOUR, DAY] = [3_600_000, 86_400_000];
const RKEY = DIGEST.slice("sha256:".length);
const NAMED = [`registry.example/team/app:${TAG}`];

/** The same signer at three times: signed, deleted, and signed again. */
const alice = await signer({ name: "alice", tag: {} });
const signed = await alice.evidence();
const tagged = { ...signed, tag: await alice.tag() };
await alice.repo.delete(MANIFEST_COLLECTION, RKEY, SIGNED + HOUR);
const deleted = await alice.evidence();
await alice.repo.put(MANIFEST_COLLECTION, RKEY, recordOf(), SIGNED + 2 * HOUR);
const again = await alice.evidence();

const about = { digest: DIGEST, signer: alice.did };
const context = { atcrHosts: ATCR, identities: new ProvenIdentities() };

/** Imports in this order; the last piece, and the outcomes of the last import. */
function imported(...steps: readonly (readonly [at: number, proof: BundleProof, sealedBy?: string])[]) {
  let piece: ImportedPiece | undefined;
  let outcomes: readonly string[] = [];
  let isChanged = false;
  for (const [importedAt, proof, sealedBy] of steps) {
    const added = addToPiece(about, [proof], piece, { importedAt, ...(sealedBy && { sealedBy }) }, context);
    outcomes = added.results.map(({ outcome }) => outcome);
    isChanged = added.piece !== undefined;
    piece = added.piece ?? piece;
  }
  const entries = piece?.entries.map(({ signature, importedAt, sealedBy, tag, isNo }) => ({
    is: [signed, deleted, again].findIndex(({ record }) => record?.bytes === signature.record?.bytes),
    importedAt,
    ...(sealedBy && { sealedBy }),
    ...(tag && { tag }),
    ...(isNo && { isNo }),
  }));
  return { entries: entries ?? [], outcomes, isChanged };
}

describe("an import", () => {
  it("adds what is new, a no included", () => {
    expect(imported([NOW, proofOf(signed)])).toEqual({
      entries: [{ is: 0, importedAt: NOW }],
      outcomes: ["imported"],
      isChanged: true,
    });
    expect(imported([NOW, proofOf(deleted)])).toMatchObject({
      entries: [{ is: 1, isNo: true }],
      outcomes: ["imported"],
    });
  });

  it("renews nothing, and changes nothing, where the same comes again", () => {
    expect(imported([NOW, proofOf(signed)], [NOW + DAY, proofOf(signed)])).toEqual({
      entries: [{ is: 0, importedAt: NOW }],
      outcomes: ["known"],
      isChanged: false,
    });
  });

  it("learns who sealed it where that comes later, and does not forget it", () => {
    const later = imported([NOW, proofOf(signed)], [NOW + DAY, proofOf(signed), "did:key:zA"]);
    expect(later).toEqual({
      entries: [{ is: 0, importedAt: NOW, sealedBy: "did:key:zA" }],
      outcomes: ["known"],
      isChanged: true,
    });
    const unsealed = imported([NOW, proofOf(signed), "did:key:zA"], [NOW + DAY, proofOf(signed)]);
    expect(unsealed.entries).toEqual([{ is: 0, importedAt: NOW, sealedBy: "did:key:zA" }]);
  });

  it("takes a later gathering of the same revision, and not an earlier one", () => {
    const later = proofOf(gatheredAt(NOW + DAY, signed));
    expect(imported([NOW, proofOf(signed)], [NOW + DAY, later])).toMatchObject({
      entries: [{ importedAt: NOW + DAY }],
      outcomes: ["imported"],
    });
    expect(imported([NOW + DAY, later], [NOW + 2 * DAY, proofOf(signed)])).toMatchObject({
      entries: [{ importedAt: NOW + DAY }],
      outcomes: ["older"],
    });
  });

  it("takes the newer revision, whatever it says, also where an older gathering brings it", () => {
    const steps = [proofOf(signed), proofOf(deleted), proofOf(again)] as const;
    expect(imported([NOW, steps[0]], [NOW, steps[1]])).toMatchObject({ entries: [{ is: 1 }], outcomes: ["imported"] });
    expect(imported([NOW, steps[1]], [NOW, steps[0]])).toMatchObject({ entries: [{ is: 1 }], outcomes: ["older"] });
    expect(imported([NOW, steps[1]], [NOW, steps[2]])).toMatchObject({ entries: [{ is: 2 }], outcomes: ["imported"] });
    const old = proofOf(gatheredAt(NOW + DAY, signed));
    expect(imported([NOW, steps[1]], [NOW, old])).toMatchObject({ entries: [{ is: 1 }], outcomes: ["older"] });
  });

  it("keeps a tag beside the digest, and no signature that a no has taken back", () => {
    const both = imported([NOW, proofOf(signed)], [NOW, proofOf(tagged, NAMED)]);
    expect(both.entries).toMatchObject([{ is: 0 }, { is: 0 }]);
    expect(both.entries.flatMap(({ tag }) => tag ?? [])).toHaveLength(1);
    const over = imported([NOW, proofOf(tagged, NAMED)], [NOW, proofOf(deleted)]);
    expect(over.entries).toMatchObject([{ is: 1, isNo: true }]);
    const late = imported([NOW, proofOf(deleted)], [NOW, proofOf(tagged, NAMED)]);
    expect([late.outcomes, late.entries]).toMatchObject([["older"], [{ is: 1 }]]);
  });

  it("takes nothing that proves nothing", () => {
    const spoilt = proofOf({ ...signed, record: { ...alice.identity(), bytes: new Uint8Array() } });
    expect(imported([NOW, spoilt])).toEqual({ entries: [], outcomes: ["unproven"], isChanged: false });
  });
});

describe("a signer's newest log", () => {
  it("is the one that has all operations of the other, and of the same the one gathered last", async () => {
    const bob = await signer({ name: "bob" });
    const record = await bob.record();
    const older = { signer: bob.did, identity: bob.identity(), record };
    await bob.log.update({ handle: "bob2.test" }, { at: NOW - DAY });
    const newer = { signer: bob.did, identity: bob.identity(), record };
    const how = { importedAt: NOW };
    const there = (identity: typeof older): ImportedIdentity => ({
      signer: bob.did,
      identity: identity.identity,
      ...how,
    });
    const choose = (proof: BundleProof, before?: ImportedIdentity) =>
      newerIdentity(proof, before, how, new ProvenIdentities());
    expect(choose(proofOf(older))).toMatchObject({ identity: older.identity });
    expect(choose(proofOf(newer), there(older))).toMatchObject({ identity: newer.identity });
    expect(choose(proofOf(older), there(newer))).toBe("older");
    expect(choose(proofOf(older), there(older))).toBe("older");
    const later = gatheredAt(NOW + 1, older);
    expect(choose(proofOf(later), there(older))).toMatchObject({ identity: later.identity });
    expect(choose(proofOf(later), there(newer))).toBe("older");
  });

  it("is neither of two that each lack something of the other", async () => {
    const [one, other] = await Promise.all([signer({ name: "carol" }), signer({ name: "carol" })]);
    await one.log.update({ handle: "one.test" }, { at: NOW - DAY });
    await other.log.update({ handle: "other.test" }, { at: NOW - DAY });
    expect(one.did).toBe(other.did);
    const before = { signer: one.did, identity: one.identity(), importedAt: NOW };
    const proof = proofOf(await other.evidence());
    expect(newerIdentity(proof, before, { importedAt: NOW }, new ProvenIdentities())).toBe("forked");
  });

  it("replaces what can no longer be proven", async () => {
    const identity = { ...signed.identity, bytes: new Uint8Array() };
    const found = newerIdentity(
      proofOf(signed),
      { signer: alice.did, identity, importedAt: 1 },
      { importedAt: 2 },
      new ProvenIdentities(),
    );
    expect(found).toMatchObject({ importedAt: 2 });
  });
});
