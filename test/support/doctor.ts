import { ask, type TestNode } from "./binary.ts";
import { withCache } from "./caching-world.ts";

export interface Finding {
  readonly level: string;
  readonly name: string;
  readonly found: string;
  readonly advice?: string;
}

/**
 * @param programs shell scripts to find in its PATH, by name
 * @param environment beside the world's
 * @param more options of the command
 */
export async function doctor(
  world: TestNode,
  programs: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
  more: readonly string[] = [],
) {
  for (const [name, script] of Object.entries(programs)) world.write(`bin/${name}`, `#!/bin/sh\n${script}\n`, 0o755);
  const args = ["doctor", "--output", "json", "--address", `${world.folder}/none.sock`, ...more];
  const { stdout } = await ask(args, { env: { ...world.env, PATH: `${world.folder}/bin`, ...environment } });
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  const of = (name: string) => findings.filter((finding) => finding.name === name);
  return { findings, of, levels: (name: string) => of(name).map(({ level }) => level) };
}

/** A correct node, except for containerd. */
export const healthy = (test: (world: TestNode) => Promise<void>) =>
  withCache(async (world) => {
    world.configure({
      ...world.settings,
      cacheEnabled: true,
      decisionLog: world.write("log/decisions.log", ""),
      metricsFile: `${world.folder}/m.prom`,
    });
    world.policy(policyFor(world, [world.signer.did]));
    world.pds.override("/xrpc/_health", { status: 200, body: "{}" });
    await test(world);
  });

export const policyFor = (world: TestNode, dids: readonly string[], hosts = [world.registry.authority]) =>
  JSON.stringify({
    version: 1,
    trustedDIDs: dids,
    policies: [{ name: "all", scope: hosts.map((host) => `${host}/**`), action: "enforce", require: { owner: "any" } }],
    default: "deny",
  });
