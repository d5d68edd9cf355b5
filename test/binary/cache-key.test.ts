import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Ask, ask, headline, type TestNode } from "../support/binary.ts";
import { keyEnvironment } from "../support/cache-key.ts";
import { cacheOf, filesIn, NO_REQUEST, requestsOf, withCache } from "../support/caching-world.ts";
import { throughFile } from "../support/mounted-file.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const SIGNED = "0 allow signed";
const isRoot = requirement(
  "a cache on a machine with another id",
  missingRoot("a file is mounted over /etc/machine-id"),
);

const keyOf = (world: TestNode) => keyEnvironment(world.folder).ATCR_VERIFY_CACHE_KEY;

/** As a service would start it whose unit names cache and key. */
function knowing(world: TestNode, key = keyOf(world)): Ask {
  return { env: { ...world.env, ATCR_VERIFY_CACHE_DIR: cacheOf(world), ATCR_VERIFY_CACHE_KEY: key } };
}

/** Pulled once, so that the next pull asks nobody. */
async function cached(test: (world: TestNode, image: Descriptor) => Promise<void>): Promise<void> {
  await withCache(async (world, image) => {
    const first = await world.pull(world.name, image, knowing(world));
    expect([headline(first), first.stderr, filesIn(world, "settings").length]).toEqual([SIGNED, "", 2]);
    requestsOf(world);
    const again = await world.pull(world.name, image, knowing(world));
    expect([headline(again), again.stderr, requestsOf(world)]).toEqual([SIGNED, "", NO_REQUEST]);
    await test(world, image);
  });
}

describe.concurrent("a cache and history that were copied", () => {
  it("are another node's: settings and evidence are not used, which is said once, and replaced", async () => {
    await cached(async (world, image) => {
      const other = knowing(world, join(world.folder, "other", "cache-key"));
      const copied = await world.pull(world.name, image, other);
      expect(headline(copied)).toBe(SIGNED);
      expect(copied.stderr).toMatch(
        /^warning cache\.unusable: [^\n]*not written there with this node's key, [^\n]*\n$/,
      );
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 1 });
      const again = await world.pull(world.name, image, other);
      expect([headline(again), again.stderr, requestsOf(world)]).toEqual([SIGNED, "", NO_REQUEST]);
    });
  });

  it.runIf(isRoot)("are another machine's, also where the key was copied along", async () => {
    await cached(async (world, image) => {
      const through = throughFile("/etc/machine-id", `${"0123456789abcdef".repeat(2)}\n`, world.folder);
      const copied = await world.pull(world.name, image, { ...knowing(world), through });
      expect([headline(copied), requestsOf(world).pds]).toEqual([SIGNED, 1]);
      expect(copied.stderr).toMatch(/^warning cache\.unusable: [^\n]*not written there with this node's key/);
    });
  });
});

describe.concurrent("the key of a cache", () => {
  it("is made by one of many that pull at once, and used by all", async () => {
    await withCache(async (world, image) => {
      const others: Descriptor[] = [];
      for (const salt of ["a", "b", "c"]) others.push(await world.image(salt));
      const pulls = [image, ...others].flatMap((one) => [one, one]);
      const asked = await Promise.all(pulls.map((one) => world.pull(world.name, one, knowing(world))));
      for (const one of asked) expect([headline(one), one.stderr]).toEqual([SIGNED, ""]);
      expect(readdirSync(dirname(keyOf(world)))).toEqual(["cache-key"]);
      expect(lstatSync(keyOf(world)).mode & 0o777).toBe(0o600);
      requestsOf(world);
      for (const one of [image, ...others]) {
        const again = await world.pull(world.name, one, knowing(world));
        expect([headline(again), again.stderr, requestsOf(world)]).toEqual([SIGNED, "", NO_REQUEST]);
      }
    });
  });

  it.each<[string, (path: string) => unknown]>([
    ["others may read", (path) => chmodSync(path, 0o644)],
    ["is empty", (path) => writeFileSync(path, "")],
    [
      "is a folder",
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ])("that %s leaves pulls without a cache, and says so in one line", async (_, spoil) => {
    await cached(async (world, image) => {
      spoil(keyOf(world));
      const before = readdirSync(cacheOf(world, "evidence"));
      for (const one of [image, image, await world.image("new")]) {
        const asked = await world.pull(world.name, one, knowing(world));
        expect(headline(asked)).toBe(SIGNED);
        expect(asked.stderr).toMatch(
          /^warning cache\.no_key: the cache is not used without its key [^\n]*; fix that[^\n]*\n$/,
        );
        expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 1 });
      }
      expect(readdirSync(cacheOf(world, "evidence"))).toEqual(before);
      const listed = await ask(["cache", "list"], knowing(world));
      expect([listed.code, listed.stderr]).toEqual([
        1,
        expect.stringContaining("the cache is not used without its key"),
      ]);
      const cleared = await ask(["cache", "clear"], knowing(world));
      expect([cleared.code, cleared.stderr, readdirSync(cacheOf(world, "evidence"))]).toEqual([0, "", []]);
    });
  });

  it("that cannot be made leaves pulls without a cache, which wait for nobody", async () => {
    await withCache(async (world, image) => {
      const nowhere = knowing(world, "/proc/nowhere/cache-key");
      const asked = await Promise.all([1, 2, 3].map(() => world.pull(world.name, image, nowhere)));
      for (const one of asked) {
        expect(headline(one)).toBe(SIGNED);
        expect(one.stderr).toMatch(
          /^warning cache\.no_key: the cache is not used without its key \/proc\/nowhere[^\n]*\n$/,
        );
      }
      expect(requestsOf(world).pds).toBe(3);
      expect(existsSync(cacheOf(world, "locks"))).toBe(false);
    });
  });

  it("that lies in the cache or beside the history is not used: who copies these would copy it", async () => {
    await withCache(async (world, image) => {
      const state = join(world.folder, "config.yaml.state");
      const [toCache, toState] = [join(world.folder, "to-cache"), join(world.folder, "to-state")];
      symlinkSync(cacheOf(world), toCache);
      symlinkSync(state, toState);
      for (const folder of [cacheOf(world), state, toCache, toState]) {
        const asked = await world.pull(world.name, image, knowing(world, join(folder, "key")));
        expect(headline(asked)).toBe(SIGNED);
        expect(asked.stderr).toMatch(
          /^warning cache\.no_key: the cache is not used without its key \S+: it is inside [^\n]*\n$/,
        );
        expect(existsSync(join(folder, "key"))).toBe(false);
      }
    });
  });

  it("that only containerd's environment names is to be named for a command too, as its warning says", async () => {
    await cached(async (world) => {
      const { ATCR_VERIFY_CACHE_KEY: _, ...env } = world.env;
      const unnamed = await ask(["cache", "list"], { env });
      expect(unnamed.code).toBe(1);
      expect(unnamed.stderr).toMatch(
        /^warning cache\.unusable: [^\n]*; if containerd's environment sets ATCR_VERIFY_CACHE_KEY, set it here too\n$/,
      );
      // The folder is the configuration's: the variable for it is for pulls.
      const named = await ask(["cache", "list"], { env: { ...env, ATCR_VERIFY_CACHE_KEY: keyOf(world) } });
      expect([named.code, named.stderr]).toEqual([0, ""]);
    });
  });

  it("keeps the end of evidence while it cannot be used: what was deleted does not come back with it", async () => {
    await cached(async (world, image) => {
      chmodSync(keyOf(world), 0o644);
      const copy = join(world.folder, "copy");
      cpSync(cacheOf(world, "evidence"), copy, { recursive: true });
      await world.signer.unsign(image.digest, Date.now() - 1000);
      expect(headline(await world.pull(world.name, image, knowing(world)))).toBe("1 deny signature.none");
      chmodSync(keyOf(world), 0o600);
      cpSync(copy, cacheOf(world, "evidence"), { recursive: true });
      expect(headline(await world.pull(world.name, image, knowing(world)))).toBe("1 deny signature.none");
    });
  });
});
