import type { ChildProcess } from "node:child_process";
import { describe, expect, it } from "vitest";
import { type Answered, headline, type TestNode } from "../support/binary.ts";
import { filesIn, requestsOf, withCache } from "../support/caching-world.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// Pulls at the same time, each a process of its own, as when a cluster starts many pods of one image.

const SIGNED = "0 allow signed";
const NONE = "1 deny signature.none";
const RECORD = "/xrpc/com.atproto.sync.getRecord";
/** Fifty processes on two cores take their time to start. */
const PATIENT = { cacheTTL: "10m", deadline: "30s" };
/** Also where the stand-ins must share those cores with sixty of them. */
const MORE_PATIENT = {
  ...PATIENT,
  deadline: "50s",
  pdsTimeout: "50s",
  registryTimeout: "50s",
  didResolverTimeout: "50s",
};

async function burst(world: TestNode, count: number, image: Descriptor): Promise<readonly Answered[]> {
  return Promise.all(Array.from({ length: count }, () => world.pull(world.name, image)));
}

async function imagesOf(world: TestNode, count: number): Promise<readonly Descriptor[]> {
  const images: Descriptor[] = [];
  for (let i = 0; i < count; i++) images.push(await world.image(`image ${i}`));
  return images;
}

/** Begins a pull and waits until it has asked the PDS, which does not answer for this long. */
async function held(world: TestNode, image: Descriptor, silence: number) {
  world.pds.override(
    RECORD,
    async () => {
      await new Promise((done) => setTimeout(done, silence));
      return { status: 503 };
    },
    "usual",
  );
  const child = await new Promise<ChildProcess>((started) => {
    void world.pull(world.name, image, { started });
  });
  await expect.poll(() => world.pds.count(RECORD), { timeout: 10_000 }).toBe(1);
  return child;
}

describe("pulls at the same time", { timeout: 60_000 }, () => {
  it.each([10, 50])("of one image are one gathering, and all are allowed: %i", async (count) => {
    await withCache(async (world, image) => {
      expect(headline(await world.pull(world.name, await world.image("single")))).toBe(SIGNED);
      const single = requestsOf(world);
      const other = await world.image("many");
      // So long that all of them are there before the first is done.
      world.pds.delay(1500);
      const answers = await burst(world, count, other);
      expect(new Set(answers.map(headline))).toEqual(new Set([SIGNED]));
      expect(answers.map(({ stderr }) => stderr).join("")).toBe("");
      expect(requestsOf(world)).toEqual({ ...single, plc: 0 });
      expect(filesIn(world, "locks")).toEqual([]);
      expect(image.digest).not.toBe(other.digest);
    }, PATIENT);
  });

  it("of an image by somebody of whom nothing is known ask each service once", async () => {
    await withCache(async (world, image) => {
      world.pds.delay(1000);
      const answers = await burst(world, 10, image);
      expect(new Set(answers.map(headline))).toEqual(new Set([SIGNED]));
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 1 });
    }, PATIENT);
  });

  it("of an image that is not signed are one answer, for which each asks by itself", async () => {
    await withCache(async (world) => {
      const unsigned = await world.image("unsigned", { signed: false });
      world.pds.delay(1000);
      const answers = await burst(world, 10, unsigned);
      expect(new Set(answers.map(headline))).toEqual(new Set([NONE]));
      expect(new Set(answers.map(({ stdout }) => stdout)).size).toBe(1);
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 10 });
    }, PATIENT);
  });

  it.each([10, 60])("of many images of one signer ask the directory once, and all are allowed: %i", async (count) => {
    await withCache(async (world) => {
      const images = await imagesOf(world, count);
      world.plc.delay(1000);
      const killAfter = 55_000;
      const answers = await Promise.all(images.map((image) => world.pull(world.name, image, { killAfter })));
      expect(new Set(answers.map(headline))).toEqual(new Set([SIGNED]));
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: count });
      expect(filesIn(world, "locks")).toEqual([]);
    }, MORE_PATIENT);
  });

  it("of one digest by two names wait for nobody who asks a registry that is slow", async () => {
    await withCache(
      async (world, image) => {
        world.registry.delay(60_000, "/slow/");
        const slowName = `${world.registry.authority}/slow/app:v1`;
        const policy = `{version: 1, trustedDIDs: {"${world.signer.did}": {}}, policies: [
        {name: slow, scope: "*/slow/**", action: enforce, require: {minSignatures: 1, repository: [other]}},
        {name: all, scope: "**/*", action: enforce}]}`;
        world.policy(policy);
        let isSlowOver = false;
        const slow = world.pull(slowName, image).finally(() => {
          isSlowOver = true;
        });
        await expect.poll(() => world.registry.count("/slow/"), { timeout: 10_000 }).toBe(1);
        const quick = await world.pull(world.name, image);
        expect(headline(quick)).toBe(SIGNED);
        expect(isSlowOver).toBe(false);
        expect(headline(await slow)).toMatch(/^[12] /);
      },
      // Longer than the quick one can take on a busy machine, so that the slow one is not over by then.
      { deadline: "20s" },
    );
  });
});

describe("a process that others wait for", { timeout: 60_000 }, () => {
  it("may be killed in the middle: the others go on", async () => {
    await withCache(
      async (world, image) => {
        const child = await held(world, image, 20_000);
        const others = burst(world, 4, image);
        await new Promise((done) => setTimeout(done, 1500));
        expect(world.pds.count(RECORD)).toBe(1);
        child.kill("SIGKILL");
        const answers = await others;
        expect(answers.map(headline)).toEqual(answers.map(() => SIGNED));
        for (const { took } of answers) expect(took).toBeLessThan(15_000);
        // What it had left is taken over.
        expect(headline(await world.pull(world.name, await world.image("next")))).toBe(SIGNED);
      },
      { deadline: "20s" },
    );
  });

  it("may be frozen: the others answer in time", async () => {
    await withCache(
      async (world, image) => {
        const child = await held(world, image, 20_000);
        child.kill("SIGSTOP");
        try {
          const answers = await burst(world, 3, image);
          expect(answers.map(headline)).toEqual(answers.map(() => SIGNED));
          for (const { took } of answers) expect(took).toBeLessThan(8_000);
          // By now nobody needs to wait.
          requestsOf(world);
          expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
          expect(requestsOf(world).pds).toBe(0);
        } finally {
          child.kill("SIGKILL");
        }
      },
      { deadline: "6s" },
    );
  });

  it("for the signer's identity may be frozen: few of the others ask, and all take the answer", async () => {
    await withCache(
      async (world, image) => {
        const [first, ...others] = await imagesOf(world, 9);
        world.plc.override("", () => undefined, "usual");
        const child = await new Promise<ChildProcess>((started) => {
          void world.pull(world.name, first ?? image, { started });
        });
        await expect.poll(() => world.plc.count(), { timeout: 10_000 }).toBe(1);
        child.kill("SIGSTOP");
        try {
          const answers = await Promise.all(others.map((one) => world.pull(world.name, one)));
          expect(answers.map(headline)).toEqual(answers.map(() => SIGNED));
          // They lose patience one by one, and whoever has not by then finds the answer.
          expect(world.plc.count()).toBeLessThan(1 + others.length / 2);
        } finally {
          child.kill("SIGKILL");
        }
      },
      { deadline: "10s" },
    );
  });

  it("takes the answer to the question of another, where its own gets none", async () => {
    await withCache(
      async (world) => {
        const images = await imagesOf(world, 6);
        const silence = () => undefined;
        world.plc.override("", silence, silence, silence, "usual");
        const answers = await Promise.all(images.map((image) => world.pull(world.name, image)));
        expect(answers.map(headline)).toEqual(answers.map(() => SIGNED));
        expect(world.plc.count()).toBeGreaterThan(3);
      },
      { deadline: "12s", didResolverTimeout: "60s" },
    );
  });

  it("may be told nothing: the others ask by themselves, in time", async () => {
    await withCache(
      async (world, image) => {
        world.pds.delay(60_000);
        const answers = await burst(world, 3, image);
        for (const answered of answers) {
          expect(headline(answered)).toMatch(/^2 inconclusive (?:net\.deadline|pds\.unreachable)$/);
          expect(answered.took).toBeLessThan(6_000);
        }
      },
      { deadline: "3s" },
    );
  });

  it("ends its turn whatever its answer is, also where it is told to end", async () => {
    await withCache(async (world, image) => {
      const child = await held(world, image, 20_000);
      expect(filesIn(world, "locks")).toHaveLength(1);
      child.kill("SIGTERM");
      await expect.poll(() => filesIn(world, "locks"), { timeout: 5_000 }).toEqual([]);
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
    });
  });
});
