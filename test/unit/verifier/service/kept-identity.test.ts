import { describe, expect, it } from "vitest";
import { answer, decide, type Pull, policy } from "../../../support/deciding.ts";
import { NOW, signer, subject, type TestSigner, trusted } from "../../../support/evidence.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const HOUR = 3_600_000;
const KEPT = { maxStaleness: 24 * HOUR };
const HANDLE = "alice.example.com";
const HERS: Pull = {
  about: { name: { host: "registry.example", path: `${HANDLE}/app` } },
  config: { atcrHosts: ["registry.example"] },
};
const DOWN = "inconclusive pds.unreachable";
const UNKNOWN = "inconclusive identity.unreachable";
const PDS_DOWN = (world: World, { pds }: TestSigner) => world.http.places.set(pds, "unreachable");
const PLC_DOWN = (world: World) => world.http.places.set("https://plc.example", "unreachable");

/** Alice, whose image was allowed under her handle, and what a node knows of her. */
async function allowed(): Promise<{ alice: TestSigner; world: World }> {
  const alice = await signer({ name: "alice", state: { handle: HANDLE } });
  const world = await World.start(alice);
  world.txt.set(`_atproto.${HANDLE}`, [`did=${alice.did}`]);
  expect(await answer(world, policy([alice.did], KEPT), HERS)).toBe("allow");
  return { alice, world };
}

describe("decide, where the host of a did:web serves a page in place of the document", () => {
  it("is inconclusive, and nothing that is cached of the signer is dropped", async () => {
    const web = await signer({ name: "web", method: "web" });
    await using w = await World.start(web);
    const judged = policy([web.did], KEPT);
    expect(await answer(w, judged)).toBe("allow");
    const restore = w.pds.override("did.json", { body: "<!doctype html><title>Back soon</title>" });
    expect(await answer(w, judged)).toBe("inconclusive identity.bad_response");
    restore();
    w.http.places.set("https://web.example", "unreachable");
    expect(await answer(w, judged)).toBe("allow");
    // A document that is one, and no identity to count on, ends it.
    w.http.places.set("https://web.example", w.pds);
    w.pds.override("did.json", { json: { id: web.did } }, "usual");
    expect(await answer(w, judged)).toBe("deny identity.invalid");
    expect(w.disk.count("evidence")).toBe(0);
  });
});

describe("decide, where another pull saw a newer key of a did:web, and its host is silent", () => {
  it.each([
    ["newer", 1, UNKNOWN],
    ["older", -1, "allow"],
  ])("looks at what is cached by whether the other key is the %s one", async (_, later, expected) => {
    const web = await signer({ name: "web", method: "web" });
    await using w = await World.start(web);
    expect(await answer(w, policy([web.did], KEPT))).toBe("allow");
    // Remembered alone: what the other pull ended of the cache may have been put there again since.
    w.now += later;
    await w.disk.recordObservation({ signer: web.did, key: signingKey("k256", "other").did(), revs: [] });
    w.now = NOW + 1000;
    w.http.places.set("https://web.example", "unreachable");
    expect(await answer(w, policy([web.did], KEPT))).toBe(expected);
  });
});

describe("decide, evidence of before by who the signer is now", () => {
  it("is refused where they gave the handle up", async () => {
    const { alice, world } = await allowed();
    await using w = world;
    await alice.log.update({ handle: "mallory.example.com" }, { at: NOW - 1000 });
    PDS_DOWN(w, alice);
    expect(await answer(w, policy([alice.did], { ...KEPT, owner: "any" }), HERS)).toBe("allow");
    expect(await answer(w, policy([alice.did], KEPT), HERS)).toBe(DOWN);
  });

  it("is refused where they moved from the PDS that is pinned", async () => {
    const { alice, world } = await allowed();
    await using w = world;
    const pinned = policy([trusted(alice.did, { pds: [alice.pds] })], KEPT);
    PDS_DOWN(w, alice);
    expect(await answer(w, pinned, HERS)).toBe("allow");
    await alice.log.update({ pds: "https://evil.example" }, { at: NOW - 1000 });
    w.http.places.set("https://evil.example", "unreachable");
    expect(await answer(w, pinned, HERS)).toBe(DOWN);
    expect(await answer(w, policy([alice.did], KEPT), HERS)).toBe("allow");
  });

  it("is refused where its log lacks an operation that this node has seen, and no newer one is had", async () => {
    const { alice, world } = await allowed();
    await using w = world;
    PLC_DOWN(w);
    expect(await answer(w, policy([alice.did], KEPT), HERS)).toBe("allow");
    await alice.log.update({ handle: HANDLE, pds: `${alice.pds}/` }, { at: NOW - 1000 });
    w.http.places.set("https://plc.example", w.plc);
    PDS_DOWN(w, alice);
    // Known whole, the log shows that nothing of it matters here.
    expect(await answer(w, policy([alice.did], KEPT), HERS)).toBe("allow");
    PLC_DOWN(w);
    expect(await answer(w, policy([alice.did], KEPT), HERS)).toBe(UNKNOWN);
  });

  it("is of no use where another pull saw the account closed before it was kept", async () => {
    const alice = await signer({ name: "alice" });
    await using w = await World.start(alice);
    const context = w.context();
    const closing: typeof context.cache.keep = async (...kept) => {
      await alice.log.tombstone({ at: NOW });
      expect(await answer(w, policy([alice.did], KEPT))).toBe("deny identity.deactivated");
      await context.cache.keep(...kept);
    };
    const cache = { ...context.cache, keep: closing };
    const { verdict } = await decide(subject(), policy([alice.did], KEPT), { ...context, cache });
    expect([verdict.outcome, w.disk.count("evidence")]).toEqual(["allow", 0]);
    PLC_DOWN(w);
    expect(await answer(w, policy([alice.did], KEPT))).toBe(UNKNOWN);
  });
});

describe("decide, evidence of before of one who has a former key again", () => {
  const OTHER = signingKey("k256", "other");

  it("is used where the log says so", async () => {
    const alice = await signer({ name: "alice" });
    await using w = await World.start(alice);
    for (const key of [undefined, OTHER, alice.key]) {
      w.now += HOUR;
      if (key !== undefined) {
        await alice.log.update({ signingKey: key }, { at: w.now });
        await alice.repo.resign(w.now, key);
      }
      expect(await answer(w, policy([alice.did], KEPT))).toBe("allow");
    }
    // What was asked for with the news is not kept; what is asked for after it is.
    expect(w.disk.count("evidence")).toBe(0);
    w.now++;
    expect(await answer(w, policy([alice.did], KEPT))).toBe("allow");
    for (const fail of [PDS_DOWN, PLC_DOWN]) {
      fail(w, alice);
      expect(await answer(w, policy([alice.did], KEPT))).toBe("allow");
    }
  });

  it("is not used of a did:web, of which nothing tells which key is the newer", async () => {
    const before = await signer({ name: "alice", method: "web" });
    const after = await signer({ name: "alice", method: "web", key: OTHER });
    await using w = await World.start(before);
    expect(await answer(w, policy([before.did], KEPT))).toBe("allow");
    const putBack = w.disk.copy("evidence");
    w.now += HOUR;
    w.add(after);
    // As where it was kept by a pull that had begun before.
    expect(await answer(w, policy([before.did]))).toBe("allow");
    putBack();
    w.http.places.set("https://alice.example", "unreachable");
    expect(await answer(w, policy([before.did], KEPT))).toBe(UNKNOWN);
    w.disk.lose("signers");
    expect(await answer(w, policy([before.did], KEPT))).toBe(UNKNOWN);
    // It is not used by a node that remembers nothing of what it shows, either.
    w.disk.lose("marks");
    expect(await answer(w, policy([before.did], KEPT))).toBe(UNKNOWN);
  });
});

describe("decide, evidence of before of two owners", () => {
  it("is used of each for the names that are theirs", async () => {
    const both = ["alice", "bob"].map((name) => signer({ name, state: { handle: `${name}.example.com` } }));
    const [alice, bob] = (await Promise.all(both)) as [TestSigner, TestSigner];
    await using w = await World.start(alice, bob);
    const judged = policy([alice.did, bob.did], KEPT);
    const pull = (path: string): Pull => ({ ...HERS, about: { name: { host: "registry.example", path } } });
    const names = ["alice.example.com/app", "bob.example.com/app"];
    w.txt.set("_atproto.alice.example.com", [`did=${alice.did}`]).set("_atproto.bob.example.com", [`did=${bob.did}`]);
    for (const name of names) expect(await answer(w, judged, pull(name))).toBe("allow");
    for (const one of [alice, bob]) PDS_DOWN(w, one);
    w.txt.clear();
    for (const name of names) expect(await answer(w, judged, pull(name))).toBe("inconclusive pds.unreachable");
    for (const name of names) w.txt.set(`_atproto.${name.split("/")[0]}`, "silent");
    const brief = { ...HERS.config, didResolverTimeout: 200 };
    for (const name of names) expect(await answer(w, judged, { ...pull(name), config: brief })).toBe("allow");
  });
});
