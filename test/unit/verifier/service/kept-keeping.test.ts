import { describe, expect, it, vi } from "vitest";
import type { Config } from "../../../../src/core/config/config.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { answer, BOTH, decide, fixedDeadline, type Pull, policy, verdictOf } from "../../../support/deciding.ts";
import { DIGEST, digestOf, NOW, recordOf, signer, subject, type TestSigner } from "../../../support/evidence.ts";
import { evidenceOf } from "../../../support/node-disk.ts";
import { MANIFEST_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const DAY = 24 * 3_600_000;
const KEPT = { maxStaleness: DAY };
const OTHER = digestOf("another image");
const keptOf = (world: World) => world.disk.cached;

/** What stands for the evidence of a signer in it. */
const keptAs = ({ did }: Pick<TestSigner, "did">, digest = DIGEST) => evidenceOf({ signer: did }, digest);

/** One who signed two images, always the same. */
async function twice(): Promise<TestSigner> {
  const made = await signer({ name: "alice" });
  await made.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - DAY);
  return made;
}

/** A world in which both images were allowed and their evidence kept. */
async function keeping(who: TestSigner): Promise<World> {
  const world = await World.start(who);
  for (const digest of [DIGEST, OTHER]) {
    expect(await answer(world, policy([who.did], KEPT), { about: { digest } })).toBe("allow");
  }
  expect(keptOf(world)).toEqual([keptAs(who), keptAs(who, OTHER)].toSorted());
  return world;
}

describe("decide, what it keeps", () => {
  it.each<[string, Partial<Requirement>, Partial<Config>, boolean]>([
    ["where answers are cached", {}, {}, true],
    ["where the rule takes it again", KEPT, { cacheEnabled: false }, true],
    ["nowhere else", {}, { cacheEnabled: false }, false],
  ])("is evidence that proves facts, %s", async (_, requirement, config, isCached) => {
    const alice = await twice();
    await using world = await World.start(alice);
    expect(await answer(world, policy([alice.did], requirement), { config })).toBe("allow");
    expect(keptOf(world)).toEqual(isCached ? [keptAs(alice)] : []);
    expect(world.disk.findIdentity(alice.did) !== undefined).toBe(config.cacheEnabled !== false);
  });

  it("is the proof, whatever this name and this rule make of it: the next judgement is made by them anew", async () => {
    const alice = await twice();
    await using world = await World.start(alice);
    const wrong = { repository: ["other"] };
    expect(await answer(world, policy([alice.did], wrong))).toBe("deny record.wrong_repository");
    expect(keptOf(world)).toEqual([keptAs(alice)]);
    world.http.places.set(alice.pds, "unreachable");
    world.now += 1000;
    expect(await answer(world, policy([alice.did], { ...KEPT, ...wrong }))).toBe("inconclusive pds.unreachable");
    expect(await answer(world, policy([alice.did], KEPT))).toBe("allow");
  });

  it("is nothing that proves no facts, whatever lets the image through", async () => {
    const alice = await signer({ name: "alice", record: null });
    await using world = await World.start(alice);
    expect(await answer(world, policy([alice.did], KEPT, { action: "audit" }))).toBe("allow");
    expect(keptOf(world)).toEqual([]);
  });

  it("is all that answered, also who did not count, each with what it rests on and what it proves", async () => {
    const [alice, bob] = [await twice(), await signer({ name: "bob" })];
    const same = await signer({ name: "same", key: bob.key });
    await using world = await World.start(alice, bob, same);
    const dids = [alice.did, bob.did, same.did];
    const judged = policy(dids, { ...KEPT, minSignatures: 2 });
    // Bob and his double have one key: only one of them counts, though both have answered.
    world.pds.delay(200, encodeURIComponent(alice.did));
    const verdict = await verdictOf(world, judged);
    const counted = verdict.outcome === "allow" && verdict.because.kind === "signed" ? verdict.because.signatures : [];
    expect(counted).toHaveLength(2);
    expect(keptOf(world)).toEqual([alice, bob, same].map((one) => keptAs(one)).toSorted());
    for (const did of dids) {
      const kept = world.disk.find(did);
      expect(kept?.signature().record?.bytes.length).toBeGreaterThan(0);
      expect(kept?.proven?.facts).toMatchObject({ signer: did, digest: DIGEST });
    }
  });

  it("is newer evidence in the place of older", async () => {
    const alice = await twice();
    await using world = await keeping(alice);
    world.now += 1000;
    await alice.repo.resign(world.now);
    expect(await answer(world, policy([alice.did]))).toBe("allow");
    const kept = world.disk.find(alice.did);
    expect(kept?.signature().record?.fetchedAt).toBe(world.now);
    expect(kept?.proven?.facts.rev).toBe(alice.repo.rev);
  });

  it("is not what a disk that never answers makes a pull wait for", async () => {
    const alice = await twice();
    await using world = await World.start(alice);
    const never = () => new Promise<never>(() => {});
    const context = { ...world.context(), recordObservation: never };
    const cache = { ...context.cache, keep: never };
    const { verdict } = await decide(subject(), policy([alice.did], KEPT), { ...context, cache });
    expect(verdict.outcome).toBe("allow");
  });
});

describe("decide, the time that the disk is given", () => {
  it.each([
    ["half a second", 8000, 500],
    ["what is left of the time", 200, 200],
    ["a moment at least", 20, 50],
  ])("is %s", async (_, left, expected) => {
    const alice = await twice();
    await using world = await World.start(alice);
    const context = world.context();
    const http: typeof context.http = (request) => context.http(request, context.deadline);
    const recordObservation = () => new Promise<never>(() => {});
    const timers = vi.spyOn(globalThis, "setTimeout");
    const limited = { ...context, http, recordObservation, deadline: fixedDeadline(left) };
    const { verdict } = await decide(subject(), policy([alice.did]), limited);
    const [, delay] = timers.mock.calls.at(-1) ?? [];
    timers.mockRestore();
    expect([verdict.outcome, delay]).toEqual(["allow", expected]);
  });
});

describe("decide, what it forgets", () => {
  it("is what was kept of the digest whose record is proven to be gone", async () => {
    const alice = await twice();
    await using world = await keeping(alice);
    await alice.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW);
    expect(await answer(world, policy([alice.did]))).toBe("deny signature.none");
    expect(keptOf(world)).toEqual([keptAs(alice, OTHER)]);
    world.http.places.set(alice.pds, "unreachable");
    expect(await answer(world, policy([alice.did], KEPT))).toBe("inconclusive pds.unreachable");
  });

  it("is not what an older proof of absence denies", async () => {
    const [alice, before] = [await twice(), await signer({ name: "alice", record: null })];
    await using world = await keeping(alice);
    world.pds.add(before.repo);
    expect(await answer(world, policy([alice.did], KEPT))).toBe("deny commit.rolled_back");
    expect(keptOf(world)).toHaveLength(2);
  });

  it("is all of a signer with a tombstone", async () => {
    const alice = await twice();
    await using world = await keeping(alice);
    await alice.log.tombstone({ at: NOW });
    expect(await answer(world, policy([alice.did]))).toBe("deny identity.deactivated");
    expect(keptOf(world)).toEqual([]);
  });

  it("is all of a signer with another key, also of one who goes back to a former key", async () => {
    const alice = await twice();
    await using world = await keeping(alice);
    const NEW = signingKey("k256", "new");
    const turnTo = async (key: typeof NEW) => {
      world.now += 1000;
      await alice.log.update({ signingKey: key }, { at: world.now });
      await alice.repo.resign(world.now, key);
    };
    const about: Pull = { about: { digest: OTHER } };
    for (const [key, pull, digest] of [
      [NEW, about, OTHER],
      [alice.key, {}, DIGEST],
    ] as const) {
      await turnTo(key);
      expect(await answer(world, policy([alice.did], KEPT), pull)).toBe("allow");
      expect(keptOf(world)).toEqual([]);
      world.now++;
      expect(await answer(world, policy([alice.did], KEPT), pull)).toBe("allow");
      expect(keptOf(world)).toEqual([keptAs(alice, digest)]);
    }
  });

  it("is all of a signer whose identity has another key while the PDS is silent", async () => {
    const alice = await twice();
    await using world = await keeping(alice);
    world.http.places.set(alice.pds, "unreachable");
    expect(await answer(world, policy([alice.did], KEPT))).toBe("allow");
    await alice.log.update({ signingKey: signingKey("k256", "new") }, { at: NOW });
    // Under whichever rule that is noticed.
    for (const requirement of [{}, KEPT]) {
      expect(await answer(world, policy([alice.did], requirement))).toBe("inconclusive pds.unreachable");
      expect(keptOf(world)).toEqual([]);
    }
  });

  it("is forgotten before the new key is remembered, lest a crash leave the old evidence", async () => {
    const alice = await twice();
    await using world = await keeping(alice);
    await alice.log.update({ signingKey: signingKey("k256", "new") }, { at: NOW });
    await alice.repo.resign(NOW, signingKey("k256", "new"));
    const context = world.context({ cacheEnabled: false });
    let kept: readonly string[] | undefined;
    const recordObservation = async () => {
      kept = keptOf(world);
    };
    await decide(subject(), policy([alice.did]), { ...context, recordObservation });
    expect(kept).toEqual([]);
  });

  it("is nothing of anybody else, and nothing where a proof is merely bad", async () => {
    const [alice, bob] = [await twice(), await signer({ name: "bob" })];
    await using world = await keeping(alice);
    world.add(bob);
    await bob.log.tombstone({ at: NOW });
    world.pds.override(encodeURIComponent(alice.did), { body: "nothing" });
    expect(await answer(world, policy([alice.did, bob.did], KEPT), { config: BOTH })).toBe(
      "inconclusive car.malformed",
    );
    expect(keptOf(world)).toHaveLength(2);
  });
});

describe("decide, whose the handle was", () => {
  const HANDLE = "alice.example.com";
  const TXT = `_atproto.${HANDLE}`;
  const pull: Pull = {
    about: { name: { host: "registry.example", path: `${HANDLE}/app` } },
    config: { atcrHosts: ["registry.example"] },
  };

  async function owned(): Promise<{ world: World; alice: TestSigner }> {
    const alice = await signer({ name: "alice", state: { handle: HANDLE } });
    const world = await World.start(alice);
    world.txt.set(TXT, [`did=${alice.did}`]);
    expect(await answer(world, policy([alice.did], KEPT), pull)).toBe("allow");
    return { world, alice };
  }

  it.each<[string, readonly string[] | Error, string, string]>([
    ["unreachable", new HttpFailure("unreachable", "DNS"), "inconclusive handle.unreachable", "allow"],
    ["silent", new HttpFailure("timeout", "DNS"), "inconclusive handle.unreachable", "allow"],
    [
      "broken",
      new HttpFailure("bad_response", "DNS"),
      "inconclusive handle.bad_response",
      "inconclusive handle.bad_response",
    ],
    [
      "not there any more, and the host silent",
      [],
      "inconclusive handle.bad_response",
      "inconclusive handle.bad_response",
    ],
    [
      "several people's, and the host silent",
      ["did=did:web:eve.example", "did=did:web:mallory.example"],
      "deny image.owner_mismatch",
      "deny image.owner_mismatch",
    ],
    ["no DID's", ["did=did:key:zabc"], "deny image.owner_mismatch", "deny image.owner_mismatch"],
    ["somebody else's", ["did=did:web:eve.example"], "deny image.owner_mismatch", "deny image.owner_mismatch"],
  ])("is remembered only where nobody answers: %s", async (_, dns, without, expected) => {
    const { world, alice } = await owned();
    await using w = world;
    w.txt.set(TXT, dns);
    w.now += 1000;
    expect(await answer(w, policy([alice.did]), pull)).toBe(without);
    expect(await answer(w, policy([alice.did], KEPT), pull)).toBe(expected);
    w.now += DAY;
    expect(await answer(w, policy([alice.did], KEPT), pull)).toBe(without);
  });

  it.each([
    ["nobody", { status: 404 }, "inconclusive handle.bad_response"],
    ["somebody else", { body: "did:web:eve.example" }, "deny image.owner_mismatch"],
  ])("is not remembered where DNS is silent and the host names %s", async (_, https, expected) => {
    const { world, alice } = await owned();
    await using w = world;
    w.txt.set(TXT, new HttpFailure("unreachable", "DNS"));
    w.http.places.set(`https://${HANDLE}`, w.pds);
    w.pds.override("/.well-known/atproto-did", https);
    expect(await answer(w, policy([alice.did], KEPT), pull)).toBe(expected);
  });

  it("is said to be of before, though the signature is of now", async () => {
    const { world, alice } = await owned();
    await using w = world;
    w.txt.set(TXT, new HttpFailure("unreachable", "DNS is down"));
    w.now += 1000;
    expect(await verdictOf(w, policy([alice.did], KEPT), pull)).toMatchObject({
      because: { verifiedAt: NOW, notes: [expect.stringContaining("could not be reached: DNS is down")] },
    });
  });

  it("of signers who answer now says nothing about how old the rest is", async () => {
    const [alice, bob] = [await signer({ name: "alice" }), await signer({ name: "bob" })];
    await using w = await World.start(alice, bob);
    const both = policy([alice.did, bob.did], { ...KEPT, minSignatures: 2 });
    expect(await answer(w, policy([alice.did], KEPT))).toBe("allow");
    w.now += 1000;
    expect(await answer(w, policy([bob.did], KEPT))).toBe("allow");
    w.http.places.set(bob.pds, "unreachable");
    expect(await verdictOf(w, both)).toMatchObject({ because: { verifiedAt: NOW + 1000 } });
  });

  it("is looked for by the handle, whoever else's is known", async () => {
    const { world, alice } = await owned();
    await using w = world;
    const bob = await signer({ name: "bob" });
    w.add(bob);
    await w.disk.keepOwner({ handle: "bob.example.com", did: bob.did, source: "DNS", fetchedAt: NOW });
    w.txt.set(TXT, new HttpFailure("unreachable", "DNS"));
    expect(await answer(w, policy([bob.did], KEPT), pull)).toBe("deny image.owner_mismatch");
    expect(await answer(w, policy([bob.did, alice.did], KEPT), pull)).toBe("allow");
  });

  it("is remembered with the signature where nothing answers", async () => {
    const { world, alice } = await owned();
    await using w = world;
    w.txt.set(TXT, new HttpFailure("timeout", "DNS"));
    w.http.places.set("https://plc.example", "unreachable");
    expect(await answer(w, policy([alice.did], KEPT), pull)).toBe("allow");
    const other = { ...pull, about: { name: { host: "registry.example", path: "eve.example.com/app" } } };
    expect(await answer(w, policy([alice.did], KEPT), other)).toBe("inconclusive identity.unreachable");
  });
});
