import { describe, expect, it } from "vitest";
import { tagRecordPath } from "../../../../src/core/evidence/record-path.ts";
import { ATCR, bundled, proofOf, proofsOf } from "../../../support/bundled.ts";
import { DIGEST, NOW, signer, TAG } from "../../../support/evidence.ts";

const alice = await signer({ name: "alice", tag: {} });
const unsigned = await signer({ name: "unsigned", record: null });
const untagged = await signer({ name: "untagged" });
const evidence = await alice.evidence();
const tagged = { ...evidence, tag: await alice.tag() };
const NAMED = [`registry.example/team/app:${TAG}`];
const PATH = tagRecordPath("app", TAG);

describe("what a bundle proves", () => {
  it("is a signature, with its revision and its signer's log", () => {
    const proof = proofOf(evidence);
    expect(proof).toMatchObject({ kind: "signature", signer: alice.did, digest: DIGEST, gatheredAt: NOW });
    expect(proof).toMatchObject({ isIdentified: true, noes: [] });
    expect("facts" in proof.attempt && proof.rev === proof.attempt.facts.rev).toBe(true);
    expect(proof.operations).toHaveLength(1);
    expect(proof.tag).toBeUndefined();
  });

  it("is a no, where the repo has no record", async () => {
    const proof = proofOf(await unsigned.evidence());
    expect(proof).toMatchObject({ kind: "no", attempt: { finding: { code: "record.absent" } } });
    expect(proof.noes).toEqual([{ path: expect.stringContaining("io.atcr.manifest/"), rev: proof.rev }]);
  });

  it("is a no, where the identity was closed", async () => {
    const closed = await signer({ name: "closed" });
    const record = await closed.record();
    await closed.log.tombstone({ at: NOW - 1000 });
    const proof = proofOf({ signer: closed.did, identity: closed.identity(), record });
    expect(proof).toMatchObject({ kind: "no", noes: [], attempt: { finding: { code: "identity.deactivated" } } });
    expect(proof.rev).toBeUndefined();
  });

  it("is of the tag that a name of the image has, by the image's name or the record", () => {
    expect(proofOf(tagged, NAMED)).toMatchObject({
      tag: PATH,
      kind: "signature",
      noes: [{ path: PATH, except: DIGEST }],
    });
    expect(proofOf(tagged, [`${ATCR[0]}/alice.test/app:${TAG}`])).toMatchObject({ tag: PATH });
    expect(proofOf(tagged, ["registry.example/team/app:other", ...NAMED])).toMatchObject({ tag: PATH });
  });

  it("is the record alone, where no name says what the tag is called", () => {
    const proof = proofOf(tagged, ["registry.example/team/app"]);
    expect([proof.kind, proof.tag, proof.signature.tag, proof.noes]).toEqual(["signature", undefined, undefined, []]);
  });

  it("is a tag that is not there", async () => {
    const proof = proofOf({ ...(await untagged.evidence()), tag: await untagged.tag() }, NAMED);
    expect(proof).toMatchObject({ kind: "signature", tag: PATH, noes: [{ path: PATH, rev: proof.rev }] });
  });

  it("is nothing where it was tampered with, and then no no either", () => {
    const record = evidence.record as { bytes: Uint8Array; url: string; fetchedAt: number };
    const spoilt = { ...evidence, record: { ...record, bytes: record.bytes.with(-1, (record.bytes.at(-1) ?? 0) ^ 1) } };
    expect(proofOf(spoilt)).toMatchObject({ kind: "unproven", isIdentified: true, noes: [] });
    const log = { ...evidence, identity: { ...evidence.identity, bytes: new Uint8Array() } };
    expect(proofOf(log)).toMatchObject({ kind: "unproven", isIdentified: false, noes: [] });
    expect(proofOf({ signer: alice.did, identity: alice.identity() })).toMatchObject({ kind: "unproven", noes: [] });
  });

  it("is no no where a proof ends before the record: it may be the proof of another one", async () => {
    const { identity, signer: did } = evidence;
    const proof = proofOf({ signer: did, identity, record: await alice.tag() });
    expect(proof.kind).toBe("unproven");
    expect(proof.noes).toEqual([]);
  });

  it("proves each identity once", () => {
    const proofs = proofsOf(bundled([evidence, evidence, tagged], NAMED));
    expect(proofs.map(({ kind }) => kind)).toEqual(["signature", "signature", "signature"]);
  });
});
