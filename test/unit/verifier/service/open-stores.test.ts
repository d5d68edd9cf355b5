import { describe, expect, it, vi } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { Warnings } from "../../../../src/core/warning.ts";
import { CacheKey } from "../../../../src/io/store/cache-key.ts";
import { openStores, StoreWarnings } from "../../../../src/verifier/service/open-stores.ts";
import { asDid, DIGEST, NOW } from "../../../support/evidence.ts";
import { warned } from "../../../support/warned.ts";

/** Folders that the user of these tests may not use. */
const denied = vi.hoisted(() => new Set<string>());
vi.mock("../../../../src/io/fs/access.ts", () => ({ mayUse: (folder: string) => !denied.has(folder) }));

/** What one question is told of files in place of folders, some of which this user may not use. */
async function warningsOf(...deniedFolders: readonly string[]) {
  denied.clear();
  for (const folder of deniedFolders) denied.add(folder);
  const lines: string[] = [];
  const config = { ...DEFAULT_CONFIG, stateDir: "/dev/null/state", cacheDir: "/dev/null/cache" };
  const warnings = new StoreWarnings(config, new Warnings(warned(lines)).warn);
  const signer = asDid("did:web:alice.example.com");
  const key = new CacheKey({ ATCR_VERIFY_CACHE_KEY: "/dev/null/cache-key" }, warnings.cache);
  const stores = openStores(config, { now: () => NOW }, warnings, key);
  await stores.loadHistory(signer);
  stores.cache.find(signer, DIGEST);
  warnings.cache({ code: "lock.not_taken", message: config.cacheDir });
  return lines;
}

describe("openStores, of folders that this user may not use", () => {
  it("warns of both at once, and of nothing in them", async () => {
    const lines = await warningsOf("/dev/null/state", "/dev/null/cache");
    expect(lines).toEqual([expect.stringMatching(/^access\.denied: .*\(\/dev\/null\/state\).*\(\/dev\/null\/cache\)/)]);
  });

  it("warns as ever of the other one", async () => {
    const lines = await warningsOf("/dev/null/cache");
    expect(lines.map((line) => line.split(":")[0])).toEqual(["history.unusable", "access.denied"]);
    expect(lines[1]).not.toContain("/dev/null/state");
  });

  it("warns as ever where both may be used", async () => {
    const codes = (await warningsOf()).map((line) => line.split(":")[0]);
    expect(new Set(codes)).toEqual(new Set(["history.unusable", "cache.unusable", "lock.not_taken"]));
  });
});
