import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import type { Fetched, SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import type { OutsideEvidence, OutsideStore, Witness } from "../../../../src/core/evidence/outside.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { ProvenTimes } from "../../../../src/io/store/proven-times.ts";
import { policy } from "../../../support/deciding.ts";
import {
  BORN,
  DIGEST,
  NOW,
  recordOf,
  SIGNED,
  signer,
  subject,
  type TestSigner,
  trusted,
} from "../../../support/evidence.ts";
import { ask, headline } from "../../../support/recorded-session.ts";
import { MANIFEST_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

// Imported evidence at a pull: asked for after silent services, or alone where the node is offline.

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 24 * 3_600_000];
const TAKING = { offlineFor: 30 * DAY };
const IMPORTED: Witness = { kind: "import", at: NOW };
const place = "/var/lib/atcr-verify-bundles";

let alice: TestSigner;
let bob: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  bob = await signer({ name: "bob" });
});

/** Imported evidence in memory. */
class Imported implements OutsideStore {
  readonly place = place;
  readonly pieces: OutsideEvidence[] = [];
  readonly logs = new Map<Did, Fetched>();
  readonly asked: Did[] = [];

  add(signature: SignatureEvidence, changes: Partial<OutsideEvidence> = {}): this {
    const dated = { ...signature, identity: { ...signature.identity, fetchedAt: NOW } };
    this.pieces.push({ signature: dated, witness: IMPORTED, gatheredAt: NOW, ...changes });
    return this;
  }

  find(digest: string, did: Did): OutsideEvidence | undefined {
    this.asked.push(did);
    return digest === DIGEST ? this.pieces.find(({ signature }) => signature.signer === did) : undefined;
  }

  newestLog(did: Did): ReturnType<OutsideStore["newestLog"]> {
    const identity = this.logs.get(did);
    return identity && { identity, witness: IMPORTED };
  }
}

async function imported(...signers: readonly TestSigner[]): Promise<Imported> {
  const store = new Imported();
  for (const one of signers) store.add(await one.evidence());
  return store;
}

const requirementOf = (changes: Partial<Requirement> = {}) => ({ ...TAKING, ...changes });
const down = (world: World, ...who: readonly TestSigner[]) => {
  for (const { pds } of who) world.http.places.set(pds, "unreachable");
};

/** What a pull answers. */
async function pulled(
  world: World,
  outside: OutsideStore,
  { require = {}, signers = [alice.did], config = {}, about = {} }: PullOf = {},
) {
  const verifier = world.verifier(policy(signers, requirementOf(require)), { outside, config });
  return (await ask(world, policy([]), verifier, subject(about))).decision;
}

interface PullOf {
  readonly require?: Partial<Requirement>;
  readonly signers?: readonly (Did | ReturnType<typeof trusted>)[];
  readonly config?: object;
  readonly about?: object;
}

async function outcome(...args: Parameters<typeof pulled>): Promise<string> {
  const decision = await pulled(...args);
  return `${headline(decision)} ${decision.cache}`;
}

describe.concurrent("a pull with imported evidence", () => {
  it("asks the services first", async () => {
    await using world = await World.start(alice);
    const store = await imported(alice);
    expect(await outcome(world, store)).toBe("signed none");
    expect(store.asked).toEqual([]);
  });

  it("uses it where they are silent, and says so, with its witness, its age and what was silent", async () => {
    await using world = await World.start(alice);
    down(world, alice);
    const decision = await pulled(world, await imported(alice));
    expect(decision.cache).toBe("bundle");
    expect(decision.answer).toMatchObject({ because: { kind: "signed", verifiedAt: NOW } });
    const { answer } = decision;
    const notes = answer.outcome === "allow" && answer.because.kind === "signed" ? answer.because.notes : [];
    expect(notes).toEqual([
      expect.stringMatching(
        /^by evidence from an imported bundle dated 2025-06-01T12:00:00Z, 0 h old, because a service could not be reached: pds\.alice\.example: unreachable/,
      ),
    ]);
  });

  it("does not use it under a rule without offlineFor, and does not look for it", async () => {
    await using world = await World.start(alice);
    down(world, alice);
    const store = await imported(alice);
    const verifier = world.verifier(policy([alice.did]), { outside: store });
    const { decision } = await ask(world, policy([]), verifier);
    expect(headline(decision)).toBe("inconclusive pds.unreachable");
    expect(store.asked).toEqual([]);
  });

  it("never overrides what the network says, of any signer", async () => {
    const deleted = await signer({ name: "alice", record: null });
    await using world = await World.start(deleted, bob);
    down(world, bob);
    const store = await imported(alice, bob);
    // One said no, the other is silent: his evidence counts, hers does not.
    expect(await outcome(world, store)).toBe("deny signature.none none");
    expect(await outcome(world, store, { signers: [alice.did, bob.did] })).toBe("signed bundle");
    const both = { signers: [alice.did, bob.did], require: { minSignatures: 2 } };
    expect(await outcome(world, store, both)).toMatch(/^(?:deny|inconclusive)/);
    expect(store.asked.every((did) => did === bob.did)).toBe(true);
  });

  it("is refused as the network left it, and says why imported evidence does not count", async () => {
    await using world = await World.start(alice);
    down(world, alice);
    world.now += 31 * DAY;
    const decision = await pulled(world, await imported(alice));
    expect(decision.answer).toMatchObject({
      outcome: "inconclusive",
      code: "pds.unreachable",
      detail: expect.stringContaining(
        "; imported evidence does not count: bundle.expired: the evidence is from an imported bundle",
      ),
    });
    expect(decision.cache).toBe("none");
  });

  it("is judged by the identity that this pull fetched, where only the PDS is silent", async () => {
    const before = await alice.evidence();
    const rotated = await signer({ name: "alice" });
    await rotated.log.update(
      { signingKey: signingKey("k256", "alice, next") },
      { at: NOW - DAY, signer: rotated.rotationKey },
    );
    await using world = await World.start(rotated);
    down(world, rotated);
    expect(await outcome(world, new Imported().add(before))).toBe("inconclusive pds.unreachable none");
    const { answer } = await pulled(world, new Imported().add(before));
    expect(answer).toMatchObject({ detail: expect.stringContaining("commit.superseded_key") });
  });
});

describe.concurrent("a remembered no", () => {
  it("of a pull refuses older imported evidence, and evidence of the same revision", async () => {
    const who = await signer({ name: "alice" });
    const old = await who.evidence();
    await using world = await World.start(who);
    await who.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW - HOUR);
    expect(await outcome(world, new Imported())).toBe("deny signature.none none");
    down(world, who);
    const { answer } = await pulled(world, new Imported().add(old));
    expect(answer).toMatchObject({ outcome: "inconclusive", detail: expect.stringContaining("commit.rolled_back") });
    expect(await outcome(world, new Imported().add(old), { config: { offline: true } })).toBe(
      "deny commit.rolled_back bundle",
    );
  });

  it("gives way to a newer record", async () => {
    const who = await signer({ name: "alice" });
    await using world = await World.start(who);
    await who.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW - HOUR);
    expect(await outcome(world, new Imported())).toBe("deny signature.none none");
    await who.repo.put(MANIFEST_COLLECTION, digestHex(DIGEST), recordOf(), NOW - MINUTE);
    const again = await who.evidence();
    down(world, who);
    expect(await outcome(world, new Imported().add(again))).toBe("signed bundle");
  });

  it("is not forgotten because the history is damaged: then nothing imported counts, also after it was set aside", async () => {
    const who = await signer({ name: "alice" });
    const old = await who.evidence();
    await using world = await World.start(who);
    expect(await outcome(world, new Imported())).toBe("signed none");
    world.disk.damageHistory(who.did);
    down(world, who);
    const offline = { config: { offline: true, cacheEnabled: false } };
    expect(await outcome(world, new Imported().add(old), offline)).toBe("inconclusive bundle.not_accepted bundle");
    // A pull sets it aside.
    expect(await outcome(world, new Imported().add(old))).toBe("inconclusive pds.unreachable none");
    expect(await outcome(world, new Imported().add(old), offline)).toBe("deny commit.rolled_back bundle");
  });
});

describe("the newest log that was imported", () => {
  it("ends what is imported of its signer where it cannot be read, as it may close the identity", async () => {
    await using world = await World.start(alice);
    const store = await imported(alice);
    vi.spyOn(store, "newestLog").mockReturnValue({ unusable: "it is not JSON" });
    const { answer } = await pulled(world, store, { config: { offline: true } });
    expect(answer).toMatchObject({
      outcome: "inconclusive",
      code: "bundle.not_accepted",
      detail: expect.stringContaining("it is not JSON"),
    });
  });
});

describe("a node that is offline", () => {
  const offline = { offline: true };

  it("asks nobody, and opens no network", async () => {
    await using world = await World.start(alice);
    const openNetwork = vi.fn(() => {
      throw new Error("a network was opened");
    });
    const verifier = world.verifier(policy([alice.did], TAKING), {
      outside: await imported(alice),
      config: offline,
      openNetwork,
    });
    const { decision } = await ask(world, policy([]), verifier);
    expect([headline(decision), decision.cache]).toEqual(["signed", "bundle"]);
    expect([openNetwork.mock.calls, world.http.asked, world.requests]).toEqual([[], [], []]);
    const { answer } = decision;
    const notes = answer.outcome === "allow" && answer.because.kind === "signed" ? answer.because.notes : [];
    expect(notes).toEqual(["by evidence from an imported bundle dated 2025-06-01T12:00:00Z, 0 h old"]);
    expect(decision.evidence?.().signatures.map((one) => one.signer)).toEqual([alice.did]);
  });

  it("says what is missing", async () => {
    await using world = await World.start(alice);
    const empty = await pulled(world, new Imported(), { config: offline });
    expect(empty.answer).toMatchObject({
      outcome: "inconclusive",
      code: "identity.unreachable",
      detail: `this node asks no service (offline: true), and ${place} has no evidence of this image; import a bundle that has: atcr-verify bundle import FILE`,
    });
    const untaking = world.verifier(policy([alice.did]), { outside: await imported(alice), config: offline });
    expect((await ask(world, policy([]), untaking)).decision.answer).toMatchObject({
      code: "identity.unreachable",
      detail: expect.stringContaining('rule "production" does not accept bundles, as it has no offlineFor'),
    });
  });

  it("uses this node's own fresh cache first, then what maxStaleness allows, and neither longer than before", async () => {
    await using world = await World.start(alice);
    const require = { maxStaleness: DAY };
    expect(await outcome(world, new Imported(), { require })).toBe("signed none");
    expect(await outcome(world, new Imported(), { require, config: offline })).toBe("signed fresh");
    world.now += 6 * MINUTE;
    expect(await outcome(world, new Imported(), { config: offline })).toBe("inconclusive identity.unreachable none");
    expect(await outcome(world, new Imported(), { require, config: offline })).toBe("signed stale");
    world.now += DAY;
    expect(await outcome(world, new Imported(), { require, config: offline })).toBe(
      "inconclusive identity.unreachable none",
    );
    expect(world.requests.length).toBeGreaterThan(0);
  });

  it("obeys the policy of now", async () => {
    await using world = await World.start(alice);
    const store = await imported(alice);
    const under = (about: object) => outcome(world, store, { config: offline, signers: [trusted(alice.did, about)] });
    expect(await under({ revoked: true })).toBe("deny signer.revoked none");
    expect(await under({ keys: ["did:key:other"] })).toBe("deny identity.key_not_pinned bundle");
    expect(await under({ minRev: "3zzzzzzzzzzzz" })).toBe("deny commit.older_than_pinned bundle");
    expect(await under({})).toBe("signed bundle");
  });

  it("asks for every signer whom the rule trusts, however many they are", async () => {
    await using world = await World.start(alice);
    const crowd = await Promise.all(Array.from({ length: 17 }, async (_, i) => (await signer({ name: `n${i}` })).did));
    expect(await outcome(world, await imported(alice), { config: offline, signers: [...crowd, alice.did] })).toBe(
      "signed bundle",
    );
  });

  it("uses nothing imported while its clock is behind the newest time that it has proven", async () => {
    await using world = await World.start(alice);
    const times = new ProvenTimes(world.disk.stateDir, () => {});
    await times.record(NOW);
    const store = await imported(alice);
    expect(await outcome(world, store, { config: offline })).toBe("signed bundle");
    world.now = NOW - 6 * MINUTE;
    // Of a time before, so that only what the node has proven is in its way.
    const older = new Imported().add(await alice.evidence(), {
      witness: { kind: "import", at: NOW - DAY },
      gatheredAt: NOW - DAY,
    });
    expect(await outcome(world, older, { config: offline })).toBe("inconclusive bundle.not_accepted bundle");
    world.now = NOW - 4 * MINUTE;
    expect(await outcome(world, older, { config: offline })).toBe("signed bundle");
  });

  it("judges all evidence of a signer by the newest log that was imported", async () => {
    const who = await signer({ name: "alice" });
    const old = await who.evidence();
    await using world = await World.start();
    const store = new Imported().add(old);
    await who.log.update({ handle: "new.test" }, { at: SIGNED });
    store.logs.set(who.did, who.identity());
    expect(await outcome(world, store, { config: offline })).toBe("signed bundle");
    await who.log.update(
      { signingKey: signingKey("k256", "alice, next") },
      { at: SIGNED + HOUR, signer: who.rotationKey },
    );
    store.logs.set(who.did, who.identity());
    expect(await outcome(world, store, { config: offline })).toBe("deny commit.superseded_key bundle");
    await who.log.tombstone({ at: SIGNED + 2 * HOUR, signer: who.rotationKey });
    store.logs.set(who.did, who.identity());
    expect(await outcome(world, store, { config: offline })).toBe("deny identity.deactivated bundle");
    expect(BORN).toBeLessThan(SIGNED);
  });
});
