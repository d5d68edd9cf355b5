import { beforeAll, describe, expect, it, vi } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { HistoryWrites } from "../../../../src/io/store/history-writes.ts";
import { ServerMemory } from "../../../../src/verifier/service/server-memory.ts";
import type { Verifier } from "../../../../src/verifier/service/verifier.ts";
import { policy } from "../../../support/deciding.ts";
import { DIGEST, digestOf, NOW, recordOf, signer, subject, TAG, type TestSigner } from "../../../support/evidence.ts";
import { headline, RecordedSession } from "../../../support/recorded-session.ts";
import { MANIFEST_COLLECTION } from "../../../support/signed-repo.ts";
import { World } from "../../../support/world.ts";

let alice: TestSigner;
let carol: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
  carol = await signer({ name: "carol", record: null });
});

/** Verifiers of one server: by one policy, and by one that demands the tag; and how to make another. */
function served(world: World, signer = alice) {
  const memory = new ServerMemory();
  const settings = { ...world.settings(policy([])), memory };
  const open = (who: TestSigner, requirement: Partial<Requirement> = {}): Verifier =>
    world.verifierOf({ ...settings, policy: policy([who.did], requirement) });
  return { memory, open, by: [open(signer), open(signer, { tag: "match" })] as const };
}

/** How often each URL was requested of these servers. */
function urls(...servers: readonly World["pds" | "plc" | "registry"][]): Readonly<Record<string, number>> {
  const counts = Object.groupBy(
    servers.flatMap(({ requests }) => requests),
    ({ url }) => url,
  );
  return Object.fromEntries(Object.entries(counts).map(([url, all = []]) => [url, all.length]));
}

describe.concurrent("a burst of questions about one new image", () => {
  it("asks directory and PDS once, and no registry where that suffices", async () => {
    await using world = await World.start(alice);
    world.answerLate();
    const { by } = served(world);
    const sessions = Array.from({ length: 100 }, () => new RecordedSession(world));
    const decisions = await Promise.all(sessions.map((session) => by[0].verify(subject(), session)));
    expect(new Set(decisions.map(headline))).toEqual(new Set(["signed"]));
    expect([world.plc.count(), world.pds.count(), world.registry.count()]).toEqual([1, 1, 0]);
    const counted = sessions.map(({ requestCounts }) => requestCounts.asked.get("pds"));
    expect(counted.filter((one) => one?.joined === undefined)).toHaveLength(1);
    expect(counted.every((one) => one?.requests === 1)).toBe(true);
  });

  it("asks directory, PDS and registry once where it is not signed", async () => {
    await using world = await World.start(carol);
    world.answerLate();
    const { by } = served(world, carol);
    const asked = Array.from({ length: 100 }, () => by[0].verify(subject(), new RecordedSession(world)));
    expect(new Set((await Promise.all(asked)).map(headline))).toEqual(new Set(["deny signature.none"]));
    expect(world.registry.count()).toBeGreaterThan(0);
    expect(new Set(Object.values(urls(world.plc, world.pds, world.registry)))).toEqual(new Set([1]));
  });

  it("asks once for other names, tags and policies too, and judges each by its own", async () => {
    await using world = await World.start(alice, carol);
    world.answerLate();
    const { by, open } = served(world);
    const elsewhere = subject({ name: { host: "registry.example", path: "other/web" } });
    const questions = [
      [by[0], subject()],
      [by[0], elsewhere],
      [by[1], subject({ tag: TAG })],
      [by[1], subject({ tag: "other" })],
      [open(carol), subject()],
    ] as const;
    const asked = questions.map(([verifier, about]) => verifier.verify(about, new RecordedSession(world)));
    expect((await Promise.all(asked)).map(headline)).toEqual([
      "signed",
      "deny record.wrong_repository",
      "signed",
      "deny tag.absent",
      "deny signature.none",
    ]);
    // The registry is asked later, by each whose signers did not suffice.
    expect(new Set(Object.values(urls(world.plc, world.pds)))).toEqual(new Set([1]));
  });

  it("is not ended by the deadline of one of them, whoever asked first", async () => {
    await using world = await World.start(alice);
    world.answerLate();
    const { by } = served(world);
    const hasty = () => by[0].verify(subject(), new RecordedSession(world, new Deadline(performance.now() + 50)));
    const patient = () => by[0].verify(subject(), new RecordedSession(world));
    const decisions = await Promise.all([hasty(), patient(), hasty(), patient()]);
    const [late, signed] = ["inconclusive net.deadline", "signed"];
    expect(decisions.map(headline)).toEqual([late, signed, late, signed]);
    expect(world.plc.count()).toBe(1);
  });

  it("shares a failure, and the next question asks anew", async () => {
    await using world = await World.start(alice);
    world.answerLate();
    const { by } = served(world);
    const back = world.plc.override("", { status: 404 });
    const burst = () => Promise.all([1, 2, 3].map(() => by[0].verify(subject(), new RecordedSession(world))));
    expect(new Set((await burst()).map(headline))).toEqual(new Set(["inconclusive identity.unknown_did"]));
    expect(world.plc.count()).toBe(1);
    back();
    expect(new Set((await burst()).map(headline))).toEqual(new Set(["signed"]));
    expect(world.plc.count()).toBe(2);
  });
});

describe("a server's memory", () => {
  it("has the writes to a signer's history keep out of each other's way, whatever configuration is in force", async () => {
    await using world = await World.start(alice);
    const writes = vi.spyOn(HistoryWrites.prototype, "write");
    try {
      const memory = new ServerMemory();
      const silent = { history: () => {}, cache: () => {}, other: () => {} };
      for (const time of [NOW, NOW + 1]) {
        const config = { ...DEFAULT_CONFIG, stateDir: world.disk.stateDir };
        const stores = memory.openStores(config, { now: () => NOW }, silent);
        await stores.recordObservation({ signer: alice.did, key: `did:key:x${time}`, askedAt: NOW, revs: [] });
      }
      expect(new Set(writes.mock.contexts).size).toBe(1);
      expect(writes).toHaveBeenCalledTimes(2);
    } finally {
      writes.mockRestore();
    }
  });

  it("answers again without a request, a file or a lock", async () => {
    await using world = await World.start(alice);
    const { by } = served(world);
    await by[0].verify(subject(), new RecordedSession(world));
    const before = [world.requests.length, world.disk.files()];
    const decision = await by[0].verify(subject(), new RecordedSession(world));
    expect([headline(decision), decision.cache]).toEqual(["signed", "fresh"]);
    expect([world.requests.length, world.disk.files()]).toEqual(before);
    expect(world.disk.files().filter((path) => path.startsWith(world.disk.cacheDir))).toEqual([]);
  });

  it("is one of several policies: what one has cached, another judges by its own", async () => {
    await using world = await World.start(alice);
    const { by, open } = served(world);
    await by[0].verify(subject(), new RecordedSession(world));
    const asked = world.requests.length;
    const decision = await open(alice).verify(subject(), new RecordedSession(world));
    expect([headline(decision), decision.cache, world.requests.length]).toEqual(["signed", "fresh", asked]);
    const pinned = open(alice, { maxAge: 1 });
    expect(headline(await pinned.verify(subject(), new RecordedSession(world)))).toBe("deny record.too_old");
  });

  it("asks again after cacheTTL", async () => {
    await using world = await World.start(alice);
    const { by } = served(world);
    await by[0].verify(subject(), new RecordedSession(world));
    world.now += DEFAULT_CONFIG.cacheTTL + 1;
    expect((await by[0].verify(subject(), new RecordedSession(world))).cache).toBe("none");
    expect(world.plc.count()).toBe(2);
  });

  it("fetches a signer's identity once for many images, also at the same time", async () => {
    const bob = await signer({ name: "bob" });
    const others = [1, 2, 3].map((n) => digestOf(`image ${n}`));
    for (const [i, one] of others.entries())
      await bob.repo.put(MANIFEST_COLLECTION, digestHex(one), recordOf(one), NOW - 1000 + i);
    await using world = await World.start(bob);
    const { by } = served(world, bob);
    const asked = [DIGEST, ...others].map((digest) => by[0].verify(subject({ digest }), new RecordedSession(world)));
    expect((await Promise.all(asked)).map(headline)).toEqual(["signed", "signed", "signed", "signed"]);
    expect([world.plc.count(), world.pds.count()]).toEqual([1, 4]);
  });

  it("forgets what it cached of a signer whose record is gone", async () => {
    const bob = await signer({ name: "bob" });
    await using world = await World.start(bob);
    const { by } = served(world, bob);
    await by[0].verify(subject(), new RecordedSession(world));
    await bob.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW);
    world.now += DEFAULT_CONFIG.cacheTTL + 1;
    expect(headline(await by[0].verify(subject(), new RecordedSession(world)))).toBe("deny signature.none");
    world.now -= DEFAULT_CONFIG.cacheTTL;
    expect(headline(await by[0].verify(subject(), new RecordedSession(world)))).toBe("deny signature.none");
  });
});
