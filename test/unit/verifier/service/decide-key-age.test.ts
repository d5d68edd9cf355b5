import { describe, expect, it } from "vitest";
import { answer, policy } from "../../../support/deciding.ts";
import { signer, trusted } from "../../../support/evidence.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const HOUR = 3_600_000;
const AGED = { minKeyAge: 72 * HOUR };
const YOUNG = "deny identity.key_too_young";

describe("decide, the age of the key", () => {
  it.each(["plc", "web"] as const)("counts from the first sight of a did:%s, however it was seen", async (method) => {
    const alice = await signer({ name: "alice", method });
    await using world = await World.start(alice);
    // Seen by a rule that asks for no age, and refused by another for another reason.
    expect(await answer(world, policy([alice.did], { repository: ["other"] }))).toBe("deny record.wrong_repository");
    expect(await answer(world, policy([alice.did], AGED))).toBe(YOUNG);
    world.now += 72 * HOUR - 1;
    expect(await answer(world, policy([alice.did], AGED))).toBe(YOUNG);
    expect(await answer(world, policy([alice.did]))).toBe("allow");
    world.now += 1;
    expect(await answer(world, policy([alice.did], AGED))).toBe("allow");
  });

  it("counts from now on a node that has never seen the signer, unless the policy pins the key", async () => {
    const alice = await signer({ name: "alice" });
    const pinned = trusted(alice.did, { keys: [alice.key.did()] });
    await using world = await World.start(alice);
    expect(await answer(world, policy([alice.did], AGED))).toBe(YOUNG);
    await using other = await World.start(alice);
    expect(await answer(other, policy([pinned], AGED))).toBe("allow");
  });

  it("begins anew with another key, so that a hijacked account cannot sign at once", async () => {
    const alice = await signer({ name: "alice" });
    await using world = await World.start(alice);
    await answer(world, policy([alice.did]));
    world.now += 72 * HOUR;
    expect(await answer(world, policy([alice.did], AGED))).toBe("allow");
    const thief = signingKey("k256", "thief");
    await alice.log.update({ signingKey: thief }, { at: world.now });
    await alice.repo.resign(world.now, thief);
    expect(await answer(world, policy([alice.did], AGED))).toBe(YOUNG);
    expect(await answer(world, policy([alice.did]))).toBe("allow");
    world.now += 72 * HOUR - 1;
    expect(await answer(world, policy([alice.did], AGED))).toBe(YOUNG);
  });

  it("does not come of age by a log that dates the key back", async () => {
    const alice = await signer({ name: "alice" });
    await using world = await World.start(alice);
    await answer(world, policy([alice.did]));
    world.now += 72 * HOUR;
    const thief = signingKey("k256", "thief");
    await alice.log.update({ signingKey: thief }, { at: world.now - 300 * 24 * HOUR + 72 * HOUR + 1 });
    await alice.repo.resign(world.now, thief);
    expect(await answer(world, policy([alice.did], AGED))).toBe(YOUNG);
  });
});
