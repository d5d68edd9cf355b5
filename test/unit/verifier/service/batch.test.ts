import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { policy } from "../../../support/deciding.ts";
import { NOW, signer, type TestSigner } from "../../../support/evidence.ts";
import { ask, headline } from "../../../support/recorded-session.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

let alice: TestSigner;
let carol: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  carol = await signer({ name: "carol", record: null });
});

/** A run of its own, without what earlier ones cached. */
const uncached = { config: { cacheEnabled: false } };

async function verifyTwice(world: World, isBatch: boolean, between: () => unknown = () => {}): Promise<string[]> {
  const verifier = world.verifier(policy([alice.did]), { ...uncached, isBatch });
  const first = await ask(world, policy([alice.did]), verifier);
  await between();
  const second = await ask(world, policy([alice.did]), verifier);
  return [first, second].map(({ decision }) => headline(decision));
}

describe("Verifier, many images in one run", () => {
  it.each([
    [true, 1],
    [false, 2],
  ])("fetches the identity of a signer once, where that is asked for: %s", async (isBatch, count) => {
    await using world = await World.start(alice);
    expect(await verifyTwice(world, isBatch)).toEqual(["signed", "signed"]);
    expect(world.plc.count()).toBe(count);
    // The record is one image's.
    expect(world.pds.count()).toBe(2);
  });

  it("fetches it once for verifications that run in parallel", async () => {
    await using world = await World.start(alice);
    const verifier = world.verifier(policy([alice.did]), { ...uncached, isBatch: true });
    const decisions = await Promise.all([1, 2, 3].map(() => ask(world, policy([alice.did]), verifier)));
    expect(decisions.map(({ decision }) => headline(decision))).toEqual(["signed", "signed", "signed"]);
    expect(world.plc.count()).toBe(1);
  });

  it("fetches it again after cacheTTL", async () => {
    await using world = await World.start(alice);
    await verifyTwice(world, true, () => {
      world.now += DEFAULT_CONFIG.cacheTTL + 1;
    });
    expect(world.plc.count()).toBe(2);
  });

  it("asks again after a look-up that failed", async () => {
    await using world = await World.start(alice);
    const directory = world.http.places.get("https://plc.example") ?? expect.fail("no directory");
    world.http.places.set("https://plc.example", "timeout");
    const answers = await verifyTwice(world, true, () => world.http.places.set("https://plc.example", directory));
    expect(answers).toEqual(["inconclusive identity.unreachable", "signed"]);
  });

  it("fetches it again where a key was rotated since", async () => {
    const bob = await signer({ name: "bob" });
    await using world = await World.start(bob);
    const verifier = world.verifier(policy([bob.did]), { ...uncached, isBatch: true });
    expect(headline((await ask(world, policy([bob.did]), verifier)).decision)).toBe("signed");
    const key = signingKey("k256", "rotated");
    await bob.log.update({ signingKey: key }, { at: NOW - 2000 });
    await bob.repo.resign(NOW - 1000, key);
    const { decision } = await ask(world, policy([bob.did]), verifier);
    expect(decision.answer).toMatchObject({ because: { kind: "signed", signatures: [{ key: key.did() }] } });
  });

  it("asks the registry only where the signers that are asked directly do not suffice", async () => {
    await using world = await World.start(alice, carol);
    const verifier = world.verifier(policy([alice.did]), { ...uncached, isBatch: true });
    await ask(world, policy([alice.did]), verifier);
    expect(world.registry.count()).toBe(0);
    world.attach({ did: carol.did });
    const refusing = world.verifier(policy([carol.did]), { ...uncached, isBatch: true });
    expect(headline((await ask(world, policy([carol.did]), refusing)).decision)).toBe("deny record.absent");
    expect(world.registry.count()).toBeGreaterThan(0);
  });

  it("finds by the registry one of more signers than are asked directly", async () => {
    await using world = await World.start(alice);
    world.attach({ did: alice.did });
    const many = Array.from({ length: 17 }, (_, i) => `did:web:s${i}.example` as const);
    const verifier = world.verifier(policy([...many, alice.did]), { ...uncached, isBatch: true });
    expect(headline((await ask(world, policy([alice.did]), verifier)).decision)).toBe("signed");
  });
});
