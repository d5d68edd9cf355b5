import type { ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Answered, type Ask, headline, World } from "../support/binary.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const RECORD = "/xrpc/com.atproto.sync.getRecord";

async function withWorld(test: (world: World) => Promise<void>): Promise<void> {
  const world = await World.start();
  world.configure({ ...world.settings, cacheEnabled: true });
  // Long enough that all of a burst have begun before the first is answered.
  world.pds.delay(400, RECORD);
  try {
    await test(world);
  } finally {
    await world.stop();
  }
}

function burst(world: World, images: readonly Descriptor[], options: Ask = {}): Promise<readonly Answered[]> {
  return Promise.all(images.map((image) => world.pull(world.name, image, options)));
}

/** Headlines, each once. */
const distinct = (answers: readonly Answered[]) => [...new Set(answers.map(headline))];
const turnsOf = (world: World) => join(world.folder, "config.yaml.cache", "turns");
const asked = ({ plc, pds, registry }: World) => [plc.count(), pds.count(RECORD), registry.count()];

/** Waits until a file of this folder names a holder. */
async function someTurn(folder: string): Promise<void> {
  await expect.poll(() => readdirSync(folder).filter((name) => !name.includes(".")), { timeout: 5000 }).not.toEqual([]);
}

describe("pulls at the same time", () => {
  it.each([10, 50])("of one image by %i processes share one gathering", async (count) => {
    await withWorld(async (world) => {
      const image = await world.image("popular");
      const answers = await burst(
        world,
        Array.from({ length: count }, () => image),
      );
      expect(distinct(answers)).toEqual(["0 allow signed"]);
      expect(asked(world)).toEqual([1, 1, expect.any(Number)]);
      expect(world.registry.count("/referrers/")).toBeLessThanOrEqual(1);
      expect(readdirSync(turnsOf(world))).toEqual([]);
    });
  });

  it("of one unsigned image share the refusal", async () => {
    await withWorld(async (world) => {
      const image = await world.image("unsigned", { signed: false });
      const answers = await burst(
        world,
        Array.from({ length: 10 }, () => image),
      );
      expect(distinct(answers)).toEqual(["1 deny signature.none"]);
      expect(world.pds.count(RECORD)).toBe(1);
      expect(world.registry.count("/referrers/")).toBe(1);
    });
  });

  it("of ten images of one signer ask for each, and the directory once", async () => {
    await withWorld(async (world) => {
      world.plc.delay(300);
      const images = [];
      for (let i = 0; i < 10; i++) images.push(await world.image(`image ${i}`));
      const answers = await burst(world, images);
      expect(distinct(answers)).toEqual(["0 allow signed"]);
      expect([world.plc.count(), world.pds.count(RECORD)]).toEqual([1, 10]);
    });
  });

  it("of signed and unsigned images get each their own answer", async () => {
    await withWorld(async (world) => {
      const [signed, unsigned] = [await world.image("signed"), await world.image("unsigned", { signed: false })];
      const answers = await burst(world, [signed, unsigned, signed, unsigned, signed, unsigned]);
      const [yes, no] = ["0 allow signed", "1 deny signature.none"];
      expect(answers.map(headline)).toEqual([yes, no, yes, no, yes, no]);
    });
  });

  it("each ask for themselves where the cache is off", async () => {
    await withWorld(async (world) => {
      world.configure({ ...world.settings, cacheEnabled: false });
      const image = await world.image("popular");
      const answers = await burst(
        world,
        Array.from({ length: 5 }, () => image),
      );
      expect(distinct(answers)).toEqual(["0 allow signed"]);
      expect(world.pds.count(RECORD)).toBe(5);
    });
  });
});

describe("a process that has the turn", () => {
  it.each([
    ["killed", "SIGKILL"],
    ["stopped", "SIGSTOP"],
  ] as const)("and is %s holds nobody up beyond the deadline", async (_, signal) => {
    await withWorld(async (world) => {
      const image = await world.image("held");
      world.pds.delay(1500, RECORD);
      let holder: ChildProcess | undefined;
      const first = world.pull(world.name, image, { started: (child) => (holder = child) });
      await expect.poll(() => world.pds.count(RECORD), { timeout: 5000 }).toBe(1);
      await someTurn(turnsOf(world));
      world.pds.reset();
      const second = world.pull(world.name, image);
      holder?.kill(signal);
      expect(headline(await second)).toBe("0 allow signed");
      holder?.kill("SIGKILL");
      expect((await first).code).toBe(null);
      // What it left behind is nothing to the next one, under another digest too.
      expect(headline(await world.pull(world.name, await world.image("next")))).toBe("0 allow signed");
    });
  });

  it.each([
    ["a number that no process has", "4194304 1"],
    ["a process that began at another time", `${process.pid} 1`],
    ["no number", "x\u{1b}[31m"],
    ["nothing", ""],
    ["init, which lives for ever, as it was never at it", "1 0"],
  ])("is nobody, by a file that says %s", async (_, holder) => {
    await withWorld(async (world) => {
      const image = await world.image("forged");
      await world.pull(world.name, await world.image("first"));
      const folder = turnsOf(world);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `image-${image.digest.slice(7)}`), holder);
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    });
  });
});
