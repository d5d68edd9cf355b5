import { describe, expect, it, vi } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { Denials, openStores } from "../../../../src/verifier/service/open-stores.ts";
import { asDid, DIGEST, NOW } from "../../../support/evidence.ts";

/** Folders that the user of these tests may not use. */
const denied = vi.hoisted(() => new Set<string>());
vi.mock("../../../../src/io/fs/access.ts", () => ({ mayUse: (folder: string) => !denied.has(folder) }));

/** What is warned of, once and for each question, where two questions are asked under files as folders. */
async function warningsOf(...deniedFolders: readonly string[]) {
  denied.clear();
  for (const folder of deniedFolders) denied.add(folder);
  const [shared, own]: [string[], string[]] = [[], []];
  const config = { ...DEFAULT_CONFIG, stateDir: "/dev/null/state", cacheDir: "/dev/null/cache" };
  const denials = new Denials(config, (warning) => shared.push(warning));
  const signer = asDid("did:web:alice.example.com");
  for (let i = 0; i < 2; i++) {
    const stores = openStores(config, { warn: (warning) => own.push(warning), now: () => NOW }, denials);
    await stores.recall(signer);
    stores.cache.find(signer, DIGEST);
    denials.cache?.();
  }
  return { shared, own };
}

describe("openStores, of folders that this user may not use", () => {
  it("warns once for all questions, and names both", async () => {
    const { shared, own } = await warningsOf("/dev/null/state", "/dev/null/cache");
    expect(own).toEqual([]);
    expect(shared).toHaveLength(1);
    expect(shared[0]).toContain("(/dev/null/state) and the cache (/dev/null/cache)");
  });

  it("leaves what is wrong with the other one to each question", async () => {
    const { shared, own } = await warningsOf("/dev/null/cache");
    expect(shared).toHaveLength(1);
    expect(shared[0]).not.toContain("/dev/null/state");
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter((warning) => warning.includes("/dev/null/cache"))).toEqual([]);
  });

  it("warns of nothing shared where both may be used", async () => {
    expect((await warningsOf()).shared).toEqual([]);
  });
});
