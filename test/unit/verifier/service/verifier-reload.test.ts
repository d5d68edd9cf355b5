import { describe, expect, it } from "vitest";
import { fixedDeadline, policy } from "../../../support/deciding.ts";
import { signer, subject } from "../../../support/evidence.ts";
import { ask, headline, RecordedSession } from "../../../support/recorded-session.ts";
import { World } from "../../../support/world.ts";

/** A verifier that does not cache, and the directories of each network that it opens. */
async function withOpenedNetworks() {
  const alice = await signer({ name: "alice" });
  const world = await World.start(alice);
  const opened: string[] = [];
  const judged = policy([alice.did]);
  const verifier = world.verifier(judged, {
    openNetwork: ({ plcDirectories }, environment) => {
      opened.push(plcDirectories.join());
      return { http: () => world.http.get, txt: async () => [], environment };
    },
  });
  const asked = { cacheEnabled: false };
  verifier.reload(world.settings(judged, { config: asked }));
  return { world, judged, verifier, opened, asked };
}

describe("a verifier whose settings change", () => {
  it("answers the next question by them, and the one that is under way by those that it began with", async () => {
    const [alice, bob] = [await signer({ name: "alice" }), await signer({ name: "bob" })];
    await using world = await World.start(alice);
    const [before, after] = [policy([alice.did]), { ...policy([bob.did]), hash: "f".repeat(64) }];
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
    const verifier = world.verifier(before, {
      http: async (request, deadline) => {
        begin();
        await mayGoOn;
        return world.http.get(request, deadline);
      },
    });
    const first = verifier.verify(subject(), new RecordedSession(world));
    await hasBegun;
    verifier.reload(world.settings(after));
    const second = verifier.verify(subject(), new RecordedSession(world));
    goOn();
    expect([headline(await first), (await first).policyHash]).toEqual(["signed", before.hash]);
    expect([headline(await second), (await second).policyHash]).toEqual([
      "inconclusive identity.unknown_did",
      after.hash,
    ]);
  });

  it("takes the network of the new ones", async () => {
    const { world, judged, verifier, opened, asked } = await withOpenedNetworks();
    await using _ = world;
    await ask(world, judged, verifier);
    await ask(world, judged, verifier);
    verifier.reload(world.settings(judged, { config: { ...asked, plcDirectories: ["https://plc2.example"] } }));
    const { decision } = await ask(world, judged, verifier);
    expect(headline(decision)).toBe("signed");
    expect(opened).toEqual(["https://plc.example", "https://plc2.example"]);
    expect([world.plc.count(), world.plc2.count()]).toEqual([2, 1]);
  });

  it("leaves the network of the former ones to a question that has not used it yet", async () => {
    const { world, judged, verifier, opened, asked } = await withOpenedNetworks();
    await using _ = world;
    const first = verifier.verify(subject(), new RecordedSession(world));
    verifier.reload(world.settings(judged, { config: { ...asked, plcDirectories: ["https://plc2.example"] } }));
    expect(headline(await first)).toBe("signed");
    expect(headline((await ask(world, judged, verifier)).decision)).toBe("signed");
    expect(opened).toEqual(["https://plc.example", "https://plc2.example"]);
  });
});

describe("a decision", () => {
  it("says by which policy, how long it took, and what each service was asked", async () => {
    const alice = await signer({ name: "alice" });
    await using world = await World.start(alice);
    const judged = { ...policy([alice.did]), hash: "a".repeat(64) };
    const { decision } = await ask(world, judged);
    expect(decision.policyHash).toBe(judged.hash);
    const asked = [...decision.timings.services].map(([name, { requests }]) => [name, requests]);
    expect(Object.fromEntries(asked)).toMatchObject({ directory: 1, pds: 1 });
    expect(decision.timings.total).toBeGreaterThan(0);
    const again = await ask(world, judged);
    expect([again.decision.cache, again.decision.timings.services.size]).toEqual(["fresh", 0]);
  });

  it("says by which policy also where no signature is asked for, and where the time was over", async () => {
    await using world = await World.start();
    const exempt = { ...policy([], {}, { action: "allow" }), hash: "b".repeat(64) };
    expect((await ask(world, exempt)).decision.policyHash).toBe(exempt.hash);
    const alice = await signer({ name: "alice" });
    const judged = { ...policy([alice.did]), hash: "c".repeat(64) };
    const late = await world.verifier(judged).verify(subject(), new RecordedSession(world, fixedDeadline(0)));
    expect([late.answer.outcome, late.policyHash]).toEqual(["inconclusive", judged.hash]);
  });
});
