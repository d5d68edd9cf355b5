import { beforeAll, describe, expect, it } from "vitest";
import type { SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import { attempt, type ProofTarget } from "../../../../src/core/verify/prove.ts";
import type { Attempt } from "../../../../src/core/verify/verdict.ts";
import { DIGEST, digestOf, NOW, signer, TAG, TAG_KEY, type TestSigner } from "../../../support/evidence.ts";
import { forgeTree } from "../../../support/forged-proof.ts";
import { TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";

const SOUGHT: ProofTarget = { digest: DIGEST, tag: TAG };

let alice: TestSigner;
let untagged: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
  untagged = await signer({ name: "untagged" });
});

async function tagged(who: TestSigner = alice): Promise<Required<SignatureEvidence>> {
  const { record, ...rest } = await who.evidence();
  return { ...rest, record: record ?? (await who.record()), tag: await who.tag() };
}

const tagOf = (result: Attempt) => ("facts" in result ? result.facts.tag : result.finding.code);

describe("attempt, on the tag", () => {
  it("reports what its record says, by the repository of the name or of the digest's record", async () => {
    const address = `${TAG_COLLECTION}/${TAG_KEY}`;
    const proven = { address, claim: { repository: "app", tag: TAG }, rev: expect.any(String) };
    expect(tagOf(attempt(SOUGHT, await tagged()))).toEqual(proven);
    expect(tagOf(attempt({ ...SOUGHT, repository: "app" }, await tagged()))).toEqual(proven);
    // Another key, of which this proof shows the absence.
    expect(tagOf(attempt({ ...SOUGHT, repository: "other" }, await tagged()))).toEqual({
      address: `${TAG_COLLECTION}/other_${TAG}`,
      claim: undefined,
      rev: expect.any(String),
    });
  });

  it("reports that it is proven to be absent", async () => {
    const absent = { address: `${TAG_COLLECTION}/${TAG_KEY}`, claim: undefined, rev: expect.any(String) };
    expect(tagOf(attempt(SOUGHT, await tagged(untagged)))).toEqual(absent);
  });

  it("reports nothing where no tag is sought, or no proof was gathered", async () => {
    expect(tagOf(attempt({ digest: DIGEST }, await tagged()))).toBeUndefined();
    expect(tagOf(attempt(SOUGHT, await alice.evidence()))).toBeUndefined();
  });

  it("takes a proof by nobody else, and no part of one", async () => {
    const thief = await signer({ name: "alice", tag: {} });
    await thief.repo.resign(NOW, signingKey("k256", "thief"));
    const { bytes } = await alice.tag();
    const holed = await forgeTree(bytes, alice.key, (value, { kind }) => (kind === "record" ? "drop" : value));
    const other = await forgeTree(bytes, alice.key, (value, { kind }) =>
      kind === "record" ? { ...value, $type: "io.atcr.manifest" } : value,
    );
    for (const [proof, code] of [
      [(await thief.tag()).bytes, "commit.bad_signature"],
      [(await untagged.tag()).bytes, "commit.wrong_did"],
      [(await alice.record()).bytes, "mst.incomplete_proof"],
      [holed, "mst.incomplete_proof"],
      [bytes.subarray(0, -1), "car.malformed"],
      [new Uint8Array(), "car.malformed"],
      [other, "tag.mismatch"],
    ] as const) {
      const evidence = await tagged();
      const result = attempt(SOUGHT, { ...evidence, tag: { ...evidence.tag, bytes: proof } });
      expect(tagOf(result)).toMatchObject({ code });
      // The signature itself is none the worse: not every rule asks for the tag.
      expect(result).toMatchObject({ facts: { claim: { repository: "app" } } });
    }
  });
});

describe("attempt, on what was seen", () => {
  const revsOf = ({ observation }: Attempt) => observation?.revs;
  const key = () => alice.key.did();

  it("tells of the log, the key, and the revs of both proofs", async () => {
    const later = await signer({ name: "alice", tag: {} });
    await later.repo.resign(NOW);
    const operations = alice.log.entries().map(({ cid }) => cid);
    const evidence = { ...(await tagged()), tag: await later.tag() };
    const revs = [alice.repo.rev, later.repo.rev];
    expect(attempt(SOUGHT, evidence).observation).toEqual({
      signer: alice.did,
      askedAt: NOW,
      operations,
      key: key(),
      revs,
    });
    expect(revsOf(attempt({ digest: DIGEST }, evidence))).toEqual([alice.repo.rev]);
  });

  it("tells of a rev also where what it leads to is absent or broken, and of none that is not proven", async () => {
    const absent = await signer({ name: "absent", record: null });
    expect(revsOf(attempt(SOUGHT, await absent.evidence()))).toEqual([absent.repo.rev]);

    const evidence = await alice.evidence();
    const holed = await forgeTree(evidence.record?.bytes ?? new Uint8Array(), alice.key, (value, { kind }) =>
      kind === "record" ? "drop" : value,
    );
    const withRecord = (bytes: Uint8Array) => ({ ...evidence, record: { url: "", fetchedAt: NOW, bytes } });
    expect(revsOf(attempt(SOUGHT, withRecord(holed)))).toEqual([alice.repo.rev]);

    const forged = await signer({ name: "alice" });
    await forged.repo.resign(NOW, signingKey("k256", "thief"));
    expect(revsOf(attempt(SOUGHT, withRecord((await forged.record()).bytes)))).toEqual([]);
    expect(revsOf(attempt(SOUGHT, withRecord((await untagged.record()).bytes)))).toEqual([]);
    const { record: _, ...notContacted } = evidence;
    expect(attempt(SOUGHT, notContacted).observation).toMatchObject({ key: key(), revs: [] });
  });

  it("tells of a closed identity that it has no key", async () => {
    const closed = await signer({ name: "closed" });
    await closed.log.tombstone({ at: NOW });
    const { observation } = attempt(SOUGHT, await closed.evidence());
    expect(observation).toEqual({
      signer: closed.did,
      askedAt: NOW,
      operations: closed.log.entries().map(({ cid }) => cid),
      revs: [],
    });
  });

  it("tells of a did:web without a log, and of nothing where the log does not prove itself", async () => {
    const web = await signer({ name: "web", method: "web" });
    expect(attempt(SOUGHT, await web.evidence()).observation).toEqual({
      signer: web.did,
      askedAt: NOW,
      key: web.key.did(),
      revs: [web.repo.rev],
    });
    const evidence = await alice.evidence();
    const spoilt = { ...evidence, identity: { ...evidence.identity, bytes: new Uint8Array() } };
    expect(attempt(SOUGHT, spoilt)).not.toHaveProperty("sighting");
  });
});

describe("attempt, on the tag alone", () => {
  const NAMED = { ...SOUGHT, repository: "app" };
  const alone = async (who: TestSigner, sought: ProofTarget = NAMED) => {
    const { record: _, ...rest } = await tagged(who);
    return attempt(sought, rest);
  };
  const codeFor = async (who: TestSigner, sought?: ProofTarget) => tagOf(await alone(who, sought));

  it("cannot tell, where it means the image", async () => {
    expect(await codeFor(alice)).toBe("pds.unreachable");
  });

  it("is refused where it means nothing, or another image", async () => {
    expect(await codeFor(untagged)).toBe("tag.absent");
    expect(await codeFor(alice, { ...NAMED, digest: digestOf("another image") })).toBe("tag.mismatch");
  });

  it("is not looked at where the name does not say which repository, or no tag is sought", async () => {
    expect(await codeFor(untagged, SOUGHT)).toBe("pds.unreachable");
    expect(await codeFor(untagged, { digest: DIGEST, repository: "app" })).toBe("pds.unreachable");
    const { tag: _, record: __, ...bare } = await tagged(untagged);
    expect(tagOf(attempt(NAMED, bare))).toBe("pds.unreachable");
  });

  it("shows the revision that it is of", async () => {
    expect((await alone(untagged)).observation?.revs).toEqual([untagged.repo.rev]);
  });
});

describe("attempt, on a tag that means another image", () => {
  it("says which, where it means one", async () => {
    const torn = await signer({ name: "torn", tag: { manifestDigest: digestOf("another image") } });
    expect(tagOf(attempt(SOUGHT, await tagged(torn)))).toMatchObject({ code: "tag.mismatch", means: DIGEST });
    const empty = await signer({ name: "empty", tag: { manifest: "nowhere" } });
    expect(tagOf(attempt(SOUGHT, await tagged(empty)))).not.toHaveProperty("means");
  });
});
