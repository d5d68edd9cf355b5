import { beforeAll, describe, expect, it } from "vitest";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { answer, type Pull, policy, verdictOf } from "../../../support/deciding.ts";
import {
  DIGEST,
  digestOf,
  NOW,
  signer,
  TAG,
  TAG_KEY,
  type TestSigner,
  tagRecordOf,
  trusted,
} from "../../../support/evidence.ts";
import { TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const HANDLE = "alice.example.com";
const ATCR = { atcrHosts: ["registry.example"] };
const named = (path: string) => ({ name: { host: "registry.example", path } });
const HERS: Pull = { about: named(`${HANDLE}/app`), config: ATCR };
const isOfTag = ({ url }: { url: string }) => url.includes(TAG_COLLECTION);

/** She signed the image and tagged it v1. */
let alice: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", state: { handle: HANDLE }, tag: {} });
});

/** A world in which DNS says that the handle leads to her. */
async function world(): Promise<World> {
  const made = await World.start(alice);
  made.txt.set(`_atproto.${HANDLE}`, [`did=${alice.did}`]);
  return made;
}

describe.concurrent("decide, whose the handle in the name is", () => {
  it("matters on the hosts of ATCR unless the rule says any, and elsewhere not", async () => {
    await using w = await world();
    expect(await answer(w, policy([alice.did]), HERS)).toBe("allow");
    w.txt.set(`_atproto.${HANDLE}`, []);
    w.http.places.set(`https://${HANDLE}`, w.pds);
    w.pds.override("atproto-did", { status: 404 });
    expect(await answer(w, policy([alice.did]), HERS)).toBe("deny image.owner_mismatch");
    expect(await answer(w, policy([alice.did], { owner: "any" }), HERS)).toBe("allow");
    expect(await answer(w, policy([alice.did]), { about: named(`${HANDLE}/app`) })).toBe("allow");
    expect(await answer(w, policy([alice.did], { owner: "match" }), { about: named(`${HANDLE}/app`) })).toBe(
      "deny image.owner_mismatch",
    );
  });

  it.each<[string, Partial<Requirement>, Pull]>([
    ["the rule says any", { owner: "any" }, HERS],
    ["the host is not ATCR's", {}, { about: named(`${HANDLE}/app`) }],
    ["the host is not ATCR's, whatever the rule says", { owner: "match" }, { about: named(`${HANDLE}/app`) }],
    ["the name has no handle", {}, { about: named("app"), config: ATCR }],
    ["the name's first part is none", {}, { about: named("alice/app"), config: ATCR }],
  ])("is asked nobody where %s", async (_, requirement, pull) => {
    await using w = await world();
    await answer(w, policy([alice.did], requirement), pull);
    expect([w.lookUps, w.http.count("atproto-did")]).toEqual([[], 0]);
  });

  it("is asked nobody where no signature could count, or none is asked for", async () => {
    await using w = await world();
    expect(await answer(w, policy([trusted(alice.did, { revoked: true })]), HERS)).toBe("deny signer.revoked");
    expect(await answer(w, policy([alice.did], {}, { action: "allow" }), HERS)).toBe("allow");
    expect([w.lookUps, w.http.asked]).toEqual([[], []]);
  });

  it("is asked at the same time as all else", async () => {
    await using w = await world();
    w.txt.clear();
    w.http.places.set(`https://${HANDLE}`, w.pds);
    w.pds.override("atproto-did", { body: alice.did });
    w.answerLate();
    expect(await answer(w, policy([alice.did]), HERS)).toBe("allow");
    expect([w.roundTrips, w.lookUps.length, w.pds.count("atproto-did")]).toEqual([2, 1, 1]);
  });

  it("is waited for before an allow", async () => {
    await using w = await world();
    w.txt.set(`_atproto.${HANDLE}`, "silent");
    w.http.places.set(`https://${HANDLE}`, w.pds);
    w.pds.override("atproto-did", { body: alice.did });
    w.pds.delay(200, "atproto-did");
    expect(await answer(w, policy([alice.did]), { ...HERS, config: { ...ATCR, didResolverTimeout: 1000 } })).toBe(
      "allow",
    );
  });

  it.each([
    ["handle.unreachable", new HttpFailure("unreachable", "DNS")],
    ["handle.bad_response", new HttpFailure("bad_response", "DNS")],
  ])("may be left open: %s", async (code, failure) => {
    await using w = await world();
    w.txt.set(`_atproto.${HANDLE}`, failure);
    expect(await answer(w, policy([alice.did]), HERS)).toBe(`inconclusive ${code}`);
    expect(await answer(w, policy([alice.did], { owner: "any" }), HERS)).toBe("allow");
  });
});

describe.concurrent("decide, what the tag means", () => {
  const by = (tag: string, path = "team/app"): Pull => ({ about: { ...named(path), tag } });
  const matching = (who: TestSigner) => policy([who.did], { tag: "match" });

  it("matters where the rule says so", async () => {
    const bob = await signer({ name: "bob" });
    await using w = await World.start(alice, bob);
    expect(await answer(w, policy([bob.did]), by(TAG))).toBe("allow");
    expect(w.pds.count(isOfTag)).toBe(0);
    expect(await answer(w, matching(bob), by(TAG))).toBe("deny tag.absent");
    expect(await answer(w, matching(alice), by(TAG))).toBe("allow");
    expect(await answer(w, matching(alice), by("v2"))).toBe("deny tag.absent");
  });

  it("refuses a digest that the tag meant once", async () => {
    const moved = await signer({ name: "moved", tag: {} });
    await using w = await World.start(moved);
    expect(await answer(w, matching(moved), by(TAG))).toBe("allow");
    const manifest = `at://${moved.did}/io.atcr.manifest/${digestOf("the next image").slice(7)}`;
    await moved.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(moved.did, { manifest }), NOW);
    expect(await answer(w, matching(moved), by(TAG))).toBe("deny tag.mismatch");
    expect(await answer(w, policy([moved.did]), by(TAG))).toBe("allow");
  });

  it("is asked at the same time as the record on the hosts of ATCR", async () => {
    await using w = await world();
    w.answerLate();
    expect(await answer(w, matching(alice), { about: { ...HERS.about, tag: TAG }, config: ATCR })).toBe("allow");
    expect([w.roundTrips, w.pds.count(isOfTag)]).toEqual([2, 1]);
  });

  it("is asked after it elsewhere, by the repository that the record names", async () => {
    await using w = await world();
    w.answerLate();
    expect(await answer(w, matching(alice), by(TAG, "mirror/team/app"))).toBe("allow");
    expect(w.roundTrips).toBe(3);
    expect(w.pds.requests.map(({ query }) => query.get("rkey"))).toEqual([DIGEST.slice(7), TAG_KEY]);
  });

  it("is not asked elsewhere where the record proves nothing", async () => {
    const bob = await signer({ name: "bob", record: null });
    await using w = await World.start(bob);
    expect(await answer(w, matching(bob), by(TAG))).toBe("deny signature.none");
    expect(w.pds.count(isOfTag)).toBe(0);
  });

  it("is not asked, and that is said, where the image is pulled by its digest", async () => {
    await using w = await world();
    const about = { name: { host: "registry.example", path: "team/app", digest: DIGEST } };
    const notes = async (requirement: Partial<Requirement>) => {
      const verdict = await verdictOf(w, policy([alice.did], requirement), { about });
      return verdict.outcome === "allow" && verdict.because.kind === "signed" ? verdict.because.notes : undefined;
    };
    expect(await notes({ tag: "match" })).toEqual(["pulled by digest: no tag was checked"]);
    expect(await notes({})).toEqual([]);
    expect(w.pds.count(isOfTag)).toBe(0);
    expect(await answer(w, matching(alice))).toBe("deny tag.absent");
  });

  it.each([
    ["is unreachable", { status: 503 }, "inconclusive pds.unreachable"],
    ["answers nonsense", { status: 400 }, "inconclusive pds.bad_response"],
    ["proves nothing", { body: "nothing" }, "inconclusive car.malformed"],
    ["answers with a page", { body: "<html>" }, "inconclusive pds.bad_response"],
    ["fails", { status: 500 }, "inconclusive pds.bad_response"],
  ])("is left open where the PDS %s", async (_, spoilt, expected) => {
    await using w = await world();
    w.pds.override(isOfTag, spoilt);
    expect(await answer(w, matching(alice), by(TAG))).toBe(expected);
    expect(await answer(w, matching(alice), { about: { ...HERS.about, tag: TAG }, config: ATCR })).toBe(expected);
    expect(await answer(w, policy([alice.did]), by(TAG))).toBe("allow");
  });

  it("is what her repo proves, and nobody else's", async () => {
    const thief = await signer({ name: "alice", state: { handle: HANDLE }, tag: {} });
    await thief.repo.resign(NOW, signingKey("k256", "thief"));
    const bob = await signer({ name: "bob", tag: {} });
    await using w = await world();
    w.pds.override(isOfTag, { body: (await thief.tag()).bytes });
    expect(await answer(w, matching(alice), by(TAG))).toBe("deny commit.bad_signature");
    w.pds.override(isOfTag, { body: (await bob.tag()).bytes });
    expect(await answer(w, matching(alice), by(TAG))).toBe("deny commit.wrong_did");
    w.pds.override(isOfTag, { body: (await alice.record()).bytes });
    expect(await answer(w, matching(alice), by(TAG))).toBe("inconclusive mst.incomplete_proof");
  });

  it("is asked again with the record where one of them lies behind", async () => {
    const before = await signer({ name: "later", tag: {} });
    const later = await signer({ name: "later", tag: {} });
    await later.repo.resign(NOW);
    await using w = await World.start(later);
    expect(await answer(w, matching(later), by(TAG))).toBe("allow");
    w.pds.forget();
    const older = { body: (await before.tag()).bytes };
    w.pds.override(isOfTag, older, "usual");
    expect(await answer(w, matching(later), by(TAG))).toBe("allow");
    expect([w.pds.count(isOfTag), w.pds.count()]).toEqual([2, 4]);
    w.pds.override(isOfTag, older);
    expect(await answer(w, matching(later), by(TAG))).toBe("deny commit.rolled_back");
  });

  it("is asked again with the record where the two disagree, also on a node that has seen neither", async () => {
    const moved = await signer({ name: "moved", tag: {} });
    const before = { body: (await moved.tag()).bytes };
    await moved.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(moved.did, { manifest: `at://${moved.did}/x/y` }), NOW);
    await moved.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(moved.did), NOW + 1000);
    await using once = await World.start(moved);
    once.pds.override(isOfTag, before, "usual");
    expect(await answer(once, matching(moved), by(TAG))).toBe("allow");
    await using w = await World.start(moved);
    w.pds.override(isOfTag, before);
    // Twice: the commit that the record was proven by is remembered, and nothing is cached.
    for (const asked of [2, 4]) {
      expect(await answer(w, matching(moved), by(TAG))).toBe("deny commit.rolled_back");
      expect([w.pds.count(isOfTag), w.disk.count("evidence")]).toEqual([asked, 0]);
      expect((await w.disk.loadHistory(moved.did)).rev).toBe(moved.repo.rev);
    }
  });

  it("is no where it is absent, also where whose the handle is could not be asked", async () => {
    await using w = await world();
    w.txt.set(`_atproto.${HANDLE}`, new HttpFailure("unreachable", "DNS"));
    const pull = (tag: string) => ({ about: { ...HERS.about, tag }, config: ATCR });
    expect(await answer(w, matching(alice), pull(TAG))).toBe("inconclusive handle.unreachable");
    expect(await answer(w, matching(alice), pull("v2"))).toBe("deny tag.absent");
  });

  it("is an answer also where the record's is missing", async () => {
    await using w = await world();
    w.pds.override("io.atcr.manifest", { status: 503 });
    const pull = { about: { ...HERS.about, tag: TAG }, config: ATCR };
    expect(await answer(w, matching(alice), pull)).toBe("inconclusive pds.unreachable");
    expect((await w.disk.loadHistory(alice.did)).keys.size).toBe(1);
  });
});
