import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { CacheKey } from "../../src/io/store/cache-key.ts";
import { TestNode } from "./binary.ts";
import { keyIn } from "./cache-key.ts";
import type { Descriptor } from "./stand-in-registry.ts";

/** A world whose node caches answers, for one test; `image` is signed. */
export async function withCache(
  test: (world: TestNode, image: Descriptor) => Promise<void>,
  values: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const world = await TestNode.start();
  try {
    world.configure({ ...world.settings, cacheEnabled: true, ...values });
    await test(world, await world.image("first"));
  } finally {
    await world.stop();
  }
}

/** Number of requests to each service since the last call. */
export function requestsOf(world: TestNode): { readonly plc: number; readonly pds: number; readonly registry: number } {
  const services = [world.plc, world.pds, world.registry] as const;
  const [plc, pds, registry] = services.map((service) => service.count()) as [number, number, number];
  for (const service of services) service.forget();
  return { plc, pds, registry };
}

export const NO_REQUEST = { plc: 0, pds: 0, registry: 0 };

export async function stopAll(world: TestNode): Promise<void> {
  await Promise.all([world.plc.stop(), world.pds.stop(), world.registry.stop()]);
}

/** The configured cacheDir, or what lies in it. */
export function cacheOf(world: TestNode, ...path: readonly string[]): string {
  return join(world.folder, "config.yaml.cache", ...path);
}

/** The key of the node's cache. */
export function keyOf(world: TestNode): CacheKey {
  return keyIn(world.folder);
}

/** Paths of the files in a folder of the cache, with this ending. */
export function filesIn(world: TestNode, folder: string, ending = ""): readonly string[] {
  const names = readdirSync(cacheOf(world, folder)).toSorted();
  return names.filter((name) => name.endsWith(ending)).map((name) => cacheOf(world, folder, name));
}

/** What a policy says: of the signer, of the one rule, of the rest. */
export interface PolicyParts {
  readonly about?: object;
  readonly require?: object;
  readonly rule?: object;
  readonly top?: object;
}

/** Replaces the policy: every image must be signed by the world's signer, plus what is given here. */
export function demand(world: TestNode, { about = {}, require = {}, rule = {}, top = {} }: PolicyParts = {}): void {
  const one = { name: "all", scope: "**/*", action: "enforce", require, ...rule };
  const policy = { version: 1, trustedDIDs: { [world.signer.did]: about }, policies: [one], ...top };
  world.policy(JSON.stringify(policy));
}
