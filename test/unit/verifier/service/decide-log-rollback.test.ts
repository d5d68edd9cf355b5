import { beforeAll, describe, expect, it } from "vitest";
import { answer, BOTH, policy } from "../../../support/deciding.ts";
import { NOW, signer, type TestSigner } from "../../../support/evidence.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const HOUR = 3_600_000;

/** Alice as she was born, and after an operation that changes nothing which a signature needs. */
let short: TestSigner;
let long: TestSigner;
beforeAll(async () => {
  [short, long] = [await signer({ name: "alice" }), await signer({ name: "alice" })];
  await long.log.update({ handle: "new.test" }, { at: NOW - HOUR });
});

/** A world in which this node has seen the signer like this, and no directory has been asked. */
async function seen(who: TestSigner, expected = "allow"): Promise<World> {
  const world = await World.start(who);
  expect(await answer(world, policy([who.did]))).toBe(expected);
  for (const server of [world.plc, world.pds]) server.forget();
  return world;
}

const count = ({ plc, plc2, pds }: World) => [plc.count(), plc2.count(), pds.count("getRecord")];

describe("decide, a log that lost an operation", () => {
  it("is refused by a node that has seen it, and by no other; no PDS is asked", async () => {
    await using fresh = await World.start(short);
    expect(await answer(fresh, policy([short.did]))).toBe("allow");
    await using world = await seen(long);
    world.plc.add(short.log);
    expect(await answer(world, policy([short.did]))).toBe("deny identity.log_rolled_back");
    expect(count(world)).toEqual([2, 0, 0]);
  });

  it("is asked for at the next directory", async () => {
    await using world = await seen(long);
    world.plc.add(short.log);
    expect(await answer(world, policy([short.did]), { config: BOTH })).toBe("allow");
    expect(count(world)).toEqual([1, 1, 1]);
  });

  it("is asked for once more where there is one directory alone", async () => {
    await using world = await seen(long);
    world.plc.override("", { json: short.log.entries() }, "usual");
    expect(await answer(world, policy([short.did]))).toBe("allow");
    expect(count(world)).toEqual([2, 0, 1]);
  });

  it.each<[string, (world: World) => unknown, number]>([
    ["lost it too", (world) => world.plc2.add(short.log), 1],
    ["serves an invalid one", (world) => world.plc2.override("", { json: [] }), 1],
    ["knows none", (world) => world.plc2.override("", { status: 404 }), 1],
    ["fails", (world) => world.plc2.override("", { status: 503 }), 3],
  ])("is refused where the next directory %s", async (_, spoil, asked) => {
    await using world = await seen(long);
    world.plc.add(short.log);
    spoil(world);
    expect(await answer(world, policy([short.did]), { config: BOTH })).toBe("deny identity.log_rolled_back");
    expect(count(world)).toEqual([1, asked, 0]);
  });

  it("is told rather than the invalid one that came before it", async () => {
    await using world = await seen(long);
    world.plc.override("", { json: [] });
    world.plc2.add(short.log);
    expect(await answer(world, policy([short.did]), { config: BOTH })).toBe("deny identity.log_rolled_back");
  });

  it("teaches the node nothing, nor makes it forget", async () => {
    await using world = await seen(long);
    const before = world.disk.files();
    world.plc.add(short.log);
    await answer(world, policy([short.did]));
    expect(world.disk.files()).toEqual(before);
  });

  it("is one in which a tombstone has disappeared", async () => {
    const closed = await signer({ name: "alice" });
    await closed.log.tombstone({ at: NOW - HOUR });
    await using world = await seen(closed, "deny identity.deactivated");
    world.plc.add(short.log);
    expect(await answer(world, policy([short.did]))).toBe("deny identity.log_rolled_back");
  });

  it("may undo an operation, and not drop it", async () => {
    const [upper, lower] = [signingKey("k256", "upper"), signingKey("k256", "lower")];
    const forked = (lost: boolean) =>
      signer({ name: "carol", state: { rotationKeys: [upper, lower] } }).then(async (carol) => {
        if (!lost) await carol.log.update({ handle: "thief.test" }, { at: NOW - 2 * HOUR, signer: lower });
        return carol;
      });
    const [hijacked, recovered, tidied] = [await forked(false), await forked(false), await forked(true)];
    for (const { log } of [recovered, tidied]) {
      await log.update({ handle: "back.test" }, { at: NOW - HOUR, signer: upper, after: 0 });
    }
    expect(recovered.log.entries().map(({ nullified }) => nullified)).toEqual([false, true, false]);

    await using world = await seen(hijacked);
    world.plc.add(recovered.log);
    expect(await answer(world, policy([recovered.did]))).toBe("allow");
    expect(await answer(world, policy([recovered.did]))).toBe("allow");
    world.plc.add(tidied.log);
    expect(await answer(world, policy([recovered.did]))).toBe("deny identity.log_rolled_back");
  });

  it("comes too late where pulls at the same time see both", async () => {
    await using world = await World.start(long);
    world.plc.override("", { json: short.log.entries() }, "usual", { json: short.log.entries() }, "usual");
    const all = await Promise.all(Array.from({ length: 4 }, () => answer(world, policy([short.did]))));
    expect(all).toEqual(Array(4).fill("allow"));
  });
});
