import { describe, expect, it } from "vitest";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { HttpClient } from "../../../../src/io/net/exchange.ts";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { answer, decide, type Pull, policy, verdictOf } from "../../../support/deciding.ts";
import { didDocument } from "../../../support/did-document.ts";
import {
  DIGEST,
  digestOf,
  NOW,
  recordOf,
  signer,
  subject,
  TAG,
  TAG_KEY,
  type TestSigner,
  tagRecordOf,
} from "../../../support/evidence.ts";
import { MANIFEST_COLLECTION, TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { World } from "../../../support/world.ts";

const DAY = 24 * 3_600_000;
const KEPT = { maxStaleness: 7 * DAY };
const TAGGED = { ...KEPT, tag: "match" } as const;
const [NEXT, THIRD] = [digestOf("the next image"), digestOf("the third image")];
const HANDLE = "alice.example.com";
const TXT = `_atproto.${HANDLE}`;
const DOWN = "inconclusive pds.unreachable";

const by = (tag: string, digest = DIGEST): Pull => ({ about: { tag, digest } });
/** On a host where names have handles. */
const hers = (tag?: string): Pull => ({
  about: { name: { host: "registry.example", path: `${HANDLE}/app` }, ...(tag && { tag }) },
  config: { atcrHosts: ["registry.example"] },
});

async function sign(who: TestSigner, digest = NEXT, changes = {}): Promise<void> {
  await who.repo.put(MANIFEST_COLLECTION, digestHex(digest), recordOf(digest, changes), NOW - 3000);
}

async function moveTag(who: TestSigner, digest = NEXT): Promise<void> {
  const manifest = `at://${who.did}/${MANIFEST_COLLECTION}/${digestHex(digest)}`;
  await who.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(who.did, { manifest }), NOW - 1000);
}

const silence = (world: World, ...signers: readonly TestSigner[]) => {
  for (const { pds } of signers) world.http.places.set(pds, "unreachable");
};

describe("decide, a tag that was proven to mean something else", () => {
  it.each<[string, object, (who: TestSigner) => Promise<void>, typeof NEXT, string]>([
    [
      "by an image that is too old",
      { createdAt: new Date(NOW - 40 * DAY).toISOString() },
      moveTag,
      NEXT,
      "record.too_old",
    ],
    ["by its absence", {}, async (who) => who.repo.delete(TAG_COLLECTION, TAG_KEY, NOW - 1000), NEXT, "tag.absent"],
    ["by a third image", {}, moveTag, THIRD, "tag.mismatch"],
  ])("ends what was kept under it: %s", async (_, changes, change, pulled, code) => {
    const alice = await signer({ name: "alice", tag: {} });
    await sign(alice, NEXT, changes);
    await sign(alice, THIRD);
    await using w = await World.start(alice);
    const rules = policy([alice.did], { ...TAGGED, maxAge: 30 * DAY });
    expect(await answer(w, rules, by(TAG))).toBe("allow");
    await change(alice);
    expect(await answer(w, rules, by(TAG, pulled))).toBe(`deny ${code}`);
    silence(w, alice);
    expect(await answer(w, rules, by(TAG))).toBe(DOWN);
  });

  it("ends nothing of the image that it means, whatever else is pulled under it", async () => {
    const alice = await signer({ name: "alice", tag: {} });
    await sign(alice);
    await using w = await World.start(alice);
    const rules = policy([alice.did], TAGGED);
    expect(await answer(w, rules, by(TAG))).toBe("allow");
    expect(await answer(w, rules, by(TAG, NEXT))).toBe("deny tag.mismatch");
    silence(w, alice);
    expect(await answer(w, rules, by(TAG))).toBe("allow");
  });

  it("ends it where too few others signed what it means now", async () => {
    const [alice, bob] = [await signer({ name: "alice", tag: {} }), await signer({ name: "bob", tag: {} })];
    await sign(alice);
    await using w = await World.start(alice, bob);
    const both = policy([alice.did, bob.did], { ...TAGGED, minSignatures: 2 });
    expect(await answer(w, both, by(TAG))).toBe("allow");
    await moveTag(alice);
    await moveTag(bob);
    expect(await answer(w, both, by(TAG, NEXT))).toBe("deny policy.too_few_signatures");
    silence(w, alice, bob);
    expect(await answer(w, both, by(TAG))).toBe(DOWN);
  });

  it("ends it also where the proof about the tag is all that came", async () => {
    const alice = await signer({ name: "alice", state: { handle: HANDLE }, tag: {} });
    await using w = await World.start(alice);
    const rules = policy([alice.did], TAGGED);
    w.txt.set(TXT, [`did=${alice.did}`]);
    expect(await answer(w, rules, hers(TAG))).toBe("allow");
    await moveTag(alice);
    const back = w.pds.override(`collection=${MANIFEST_COLLECTION}`, { status: 503 });
    expect(await answer(w, rules, hers(TAG))).toMatch(/^\w+ tag\.mismatch$|^inconclusive pds\.unreachable$/);
    const cachedTag = w.disk.open().cache.findTag(alice.did, `${TAG_COLLECTION}/${TAG_KEY}`);
    expect([w.disk.count("evidence"), cachedTag]).toEqual([1, undefined]);
    back();
    silence(w, alice);
    expect(await answer(w, rules, hers(TAG))).toBe(DOWN);
  });
});

describe("decide, a signer who withdrew", () => {
  it.each<[string, (world: World, who: TestSigner) => void]>([
    [
      "no key",
      (world, { did, key, pds }) => {
        const document = didDocument({ did, handles: ["alice.test"], key, pds });
        world.pds.serveDocument({ ...document, verificationMethod: [] }, "alice.example");
      },
    ],
    ["no document (404)", (world) => world.pds.serveDocument(undefined, "alice.example")],
    ["no document (410)", (world) => world.pds.override("did.json", { status: 410 })],
  ])("ends what was kept: a did:web with %s", async (_, change) => {
    const alice = await signer({ name: "alice", method: "web" });
    await using w = await World.start(alice);
    const rules = policy([alice.did], KEPT);
    expect(await answer(w, rules)).toBe("allow");
    change(w, alice);
    expect(await answer(w, rules)).not.toBe("allow");
    silence(w, alice);
    w.http.places.set("https://alice.example", "unreachable");
    expect(await answer(w, rules)).toBe("inconclusive identity.unreachable");
  });

  it("ends what was kept under the handle that leads to somebody else", async () => {
    const alice = await signer({ name: "alice", state: { handle: HANDLE } });
    await using w = await World.start(alice);
    const rules = policy([alice.did], KEPT);
    w.txt.set(TXT, [`did=${alice.did}`]);
    expect(await answer(w, rules, hers())).toBe("allow");
    silence(w, alice);
    w.txt.set(TXT, ["did=did:web:eve.example"]);
    expect(await answer(w, rules, hers())).toBe(DOWN);
    w.txt.set(TXT, new HttpFailure("unreachable", "DNS"));
    expect(await answer(w, rules, hers())).toBe(DOWN);
  });
});

describe("decide, where nothing was kept and nothing is silent", () => {
  it("does not take an answer that came too late to be looked at for none", async () => {
    const [alice, bob] = [await signer({ name: "alice" }), await signer({ name: "bob", record: null })];
    await using w = await World.start(alice, bob);
    const rules = policy([alice.did, bob.did], KEPT);
    silence(w, bob);
    expect(await answer(w, rules)).toBe("allow");
    await alice.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW - 1000);
    const context = w.context({}, 2000);
    // The machine is busy from when the proof has come until the time is over.
    const http: HttpClient = async (request, deadline) => {
      const response = await context.http(request, deadline);
      if (request.url.includes("getRecord")) {
        const end = performance.now() + deadline.remaining() + 5;
        while (performance.now() < end);
      }
      return response;
    };
    const { verdict } = await decide(subject(), rules, { ...context, http });
    expect(verdict).toMatchObject({ outcome: "inconclusive", code: "net.deadline" });
  });

  it("does not speak of evidence of before where the clock alone made a signature count", async () => {
    const [alice, bob] = [await signer({ name: "alice" }), await signer({ name: "bob" })];
    await using w = await World.start(alice, bob);
    silence(w, bob);
    const outcomes: string[] = [];
    for (let step = 1; step < 14; step++) {
      let asked = 0;
      const context = { ...w.context(), now: () => (++asked >= step ? NOW : NOW - 20 * DAY) };
      const { verdict } = await decide(subject(), policy([alice.did, bob.did], KEPT), context);
      outcomes.push(verdict.outcome);
      expect(verdict).not.toMatchObject({ because: { verifiedAt: Number.POSITIVE_INFINITY } });
      w.disk.lose("evidence");
    }
    expect(outcomes).toContain("allow");
  });

  it("uses nothing of a signer whose memory cannot be used", async () => {
    const alice = await signer({ name: "alice" });
    await using w = await World.start(alice);
    const rules = policy([alice.did], KEPT);
    expect(await answer(w, rules)).toBe("allow");
    silence(w, alice);
    const close = w.disk.openToAll("state");
    expect(await answer(w, rules)).toBe(DOWN);
    close();
    expect(await verdictOf(w, rules)).toMatchObject({ because: { verifiedAt: NOW } });
  });

  it("takes a tag that is written to between two questions", async () => {
    const alice = await signer({ name: "alice", tag: {} });
    await using w = await World.start(alice);
    let writes = 0;
    w.pds.override(`collection=${MANIFEST_COLLECTION}`, async () => {
      const body = await alice.repo.proof(MANIFEST_COLLECTION, digestHex(DIGEST));
      await sign(alice, digestOf(`another ${writes++}`));
      return { body, headers: { "content-type": "application/vnd.ipld.car" } };
    });
    expect(await answer(w, policy([alice.did], { tag: "match" }), by(TAG))).toBe("allow");
  });

  it("asks for the tag after the digest where it asks again", async () => {
    const alice = await signer({ name: "alice", tag: {} });
    await using w = await World.start(alice);
    let writes = 0;
    w.pds.override(`collection=${MANIFEST_COLLECTION}`, async () => {
      await sign(alice, digestOf(`another ${writes++}`));
      const body = await alice.repo.proof(MANIFEST_COLLECTION, digestHex(DIGEST));
      return { body, headers: { "content-type": "application/vnd.ipld.car" } };
    });
    // The record's proof comes later than the tag's, which is of the commit before.
    w.pds.delay(100, `collection=${MANIFEST_COLLECTION}`);
    expect(await answer(w, policy([alice.did], { tag: "match", owner: "any" }), hers(TAG))).toBe("allow");
    expect(w.pds.count(`collection=${TAG_COLLECTION}`)).toBe(2);
  });

  it("is not ended by what the registry says of the image's type", async () => {
    const alice = await signer({ name: "alice" });
    await using w = await World.start(alice);
    const rules = policy([alice.did], KEPT);
    expect(await answer(w, rules)).toBe("allow");
    const mediaType = "application/vnd.oci.image.index.v1+json";
    expect(await answer(w, rules, { about: { mediaType } })).toBe("deny record.media_type_mismatch");
    silence(w, alice);
    expect(await answer(w, rules)).toBe("allow");
  });
});
