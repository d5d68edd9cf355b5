import { describe, expect, it } from "vitest";
import type { Tid } from "../../../../src/core/atproto/syntax.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import { answer, type Pull, policy } from "../../../support/deciding.ts";
import {
  DIGEST,
  digestOf,
  NOW,
  recordOf,
  signer,
  TAG,
  TAG_KEY,
  type TestSigner,
  tagRecordOf,
  trusted,
} from "../../../support/evidence.ts";
import { MANIFEST_COLLECTION, TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { World } from "../../../support/world.ts";

const DAY = 24 * 3_600_000;
const KEPT = { maxStaleness: 7 * DAY };
const TAGGED = { ...KEPT, tag: "match" } as const;
const NEXT = digestOf("the next image");
const DOWN = "inconclusive pds.unreachable";

/** A pull by this tag, of this digest. */
const by = (tag: string, digest = DIGEST): Pull => ({ about: { tag, digest } });

/** Has a tag in this signer's repo mean this digest. */
async function mark(who: TestSigner, tag: string, digest = DIGEST, at = NOW - 1000): Promise<void> {
  const manifest = `at://${who.did}/${MANIFEST_COLLECTION}/${digestHex(digest)}`;
  await who.repo.put(TAG_COLLECTION, `app_${tag}`, tagRecordOf(who.did, { tag, manifest }), at);
}

/** One who signed two images, and tagged the first `v1` and `latest`, with what a node knows of them. */
async function tagged(): Promise<{ alice: TestSigner; world: World; expectKept: Expect }> {
  const alice = await signer({ name: "alice", tag: {} });
  await alice.repo.put(MANIFEST_COLLECTION, digestHex(NEXT), recordOf(NEXT), NOW - 3000);
  await mark(alice, "latest", DIGEST, NOW - 2000);
  const world = await World.start(alice);
  // While nobody answers; what is there later is as it was.
  const expectKept: Expect = async (expected, pull, requirement = TAGGED) => {
    world.http.places.set(alice.pds, "unreachable");
    expect(await answer(world, policy([alice.did], requirement), pull)).toBe(expected ? "allow" : DOWN);
    world.http.places.set(alice.pds, world.pds);
  };
  return { alice, world, expectKept };
}
type Expect = (expected: boolean, pull: Pull, requirement?: typeof KEPT) => Promise<void>;

describe("decide, what was kept is of a digest, and judged by the name", () => {
  it("is used for another tag or repository where the rule allows that name", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    expect(await answer(w, policy([alice.did], KEPT), by(TAG))).toBe("allow");
    for (const pull of [by(TAG), by("latest"), {}]) await expectKept(true, pull, KEPT);
    const under = (path: string) => ({ about: { name: { host: "registry.example", path }, tag: TAG } });
    await expectKept(true, under("other/app"), KEPT);
    await expectKept(false, under("other/web"), KEPT);
  });

  it("says nothing of a tag that was not asked for", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe("allow");
    await expectKept(true, by(TAG));
    await expectKept(false, by("latest"));
  });

  it("takes each part as it was heard last, whichever is of the later commit", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    for (const tag of [TAG, "latest"]) expect(await answer(w, policy([alice.did], TAGGED), by(tag))).toBe("allow");
    await alice.repo.resign(NOW - 500);
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe("allow");
    // Its record is of the new commit, and what is known of the tag of the one before.
    await expectKept(true, by("latest"));
    const pinned = trusted(alice.did, { minRev: alice.repo.rev as Tid });
    w.http.places.set(alice.pds, "unreachable");
    expect(await answer(w, policy([pinned], TAGGED), by(TAG))).toBe("allow");
    expect(await answer(w, policy([pinned], TAGGED), by("latest"))).toBe(DOWN);
  });

  it("is kept for each tag, and a rule that asks for less takes nothing from it", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    for (const tag of [TAG, "latest"]) expect(await answer(w, policy([alice.did], TAGGED), by(tag))).toBe("allow");
    expect(await answer(w, policy([alice.did], KEPT))).toBe("allow");
    for (const tag of [TAG, "latest"]) await expectKept(true, by(tag));
  });
});

describe("decide, what was kept is ended", () => {
  it("by a tag that means another image, once that was pulled", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    for (const tag of [TAG, "latest"]) expect(await answer(w, policy([alice.did], TAGGED), by(tag))).toBe("allow");
    await mark(alice, TAG, NEXT);
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG, NEXT))).toBe("allow");
    await expectKept(false, by(TAG));
    await expectKept(true, by(TAG, NEXT));
    await expectKept(true, by("latest"));
  });

  it("not by another image under the name, where no tag was proven", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    for (const digest of [DIGEST, NEXT]) {
      expect(await answer(w, policy([alice.did], KEPT), by(TAG, digest))).toBe("allow");
    }
    for (const digest of [DIGEST, NEXT]) await expectKept(true, by(TAG, digest), KEPT);
  });

  it.each<[string, (alice: TestSigner) => Promise<unknown>, string]>([
    ["a tag that means another image", (alice) => mark(alice, TAG, NEXT), "deny tag.mismatch"],
    ["a tag that is gone", (alice) => alice.repo.delete(TAG_COLLECTION, TAG_KEY, NOW - 1000), "deny tag.absent"],
  ])("by %s, and for this tag alone", async (_, change, expected) => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    for (const tag of [TAG, "latest"]) expect(await answer(w, policy([alice.did], TAGGED), by(tag))).toBe("allow");
    await change(alice);
    // Under whichever action that is noticed.
    expect(await answer(w, policy([alice.did], TAGGED, { action: "audit" }), by(TAG))).toBe("allow");
    await expectKept(false, by(TAG));
    await expectKept(true, by("latest"));
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe(expected);
  });

  it("by a record that is about another repository now", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    expect(await answer(w, policy([alice.did], KEPT))).toBe("allow");
    await alice.repo.put(MANIFEST_COLLECTION, digestHex(DIGEST), recordOf(DIGEST, { repository: "old" }), NOW);
    expect(await answer(w, policy([alice.did], KEPT))).toBe("deny record.wrong_repository");
    await expectKept(false, {}, KEPT);
  });

  it("by a PDS that has taken the repo down, all of the signer's", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    for (const tag of [TAG, "latest"]) expect(await answer(w, policy([alice.did], TAGGED), by(tag))).toBe("allow");
    w.pds.setStatus(alice.did, "RepoTakendown");
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe("inconclusive pds.repo_unavailable");
    expect(w.disk.count("evidence")).toBe(0);
    await expectKept(false, by("latest"));
  });

  const absent = (status: number) => ({ status, json: { error: "RecordNotFound", message: "Record not found" } });
  it.each([400, 404])("by a PDS that says that there is no such record, unproven, by %i", async (status) => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    expect(await answer(w, policy([alice.did], KEPT))).toBe("allow");
    const back = w.pds.override("", absent(status));
    expect(await answer(w, policy([alice.did], KEPT))).toBe("inconclusive pds.bad_response");
    back();
    await expectKept(false, {}, KEPT);
  });

  it("by a PDS that says that there is no such tag, unproven: of the tag alone", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe("allow");
    const back = w.pds.override(({ url }) => url.includes(TAG_COLLECTION), absent(404));
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe("inconclusive pds.bad_response");
    back();
    await expectKept(false, by(TAG));
    await expectKept(true, {}, KEPT);
  });

  it("not by what could not be had, or is not proven", async () => {
    const { alice, world, expectKept } = await tagged();
    await using w = world;
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe("allow");
    const tagAlone = ({ url }: { url: string }) => url.includes(TAG_COLLECTION);
    const busy = { status: 503 };
    w.pds.override(tagAlone, busy, busy, busy, { body: "nothing" });
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe(DOWN);
    expect(await answer(w, policy([alice.did], TAGGED), by(TAG))).toBe("inconclusive car.malformed");
    await expectKept(true, by(TAG));
  });
});
