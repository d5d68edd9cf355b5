import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, headline, type TestNode } from "../support/binary.ts";
import { NO_REQUEST, requestsOf, withCache } from "../support/caching-world.ts";

const INSTALLED = readFileSync(join(import.meta.dirname, "../../packaging/etc/trust-policy.yaml"), "utf8");
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const run = (world: TestNode, ...args: readonly string[]) => ask(args, { env: { ...world.env, PATH: world.folder } });

describe.concurrent("a policy that trusts nobody yet", () => {
  it("audits every image and says that nobody is trusted yet", async () => {
    await withCache(async (world, image) => {
      world.policy(INSTALLED);
      const log = join(world.folder, "d.log");
      world.configure({ ...world.settings, cacheEnabled: true, decisionLog: log });
      requestsOf(world);
      const pulled = await world.pull(world.name, image);
      expect(headline(pulled)).toBe("0 allow audited");
      expect(pulled.stdout).toContain("deny policy.no_signers: ");
      expect(requestsOf(world)).toEqual(NO_REQUEST);
      expect(json(readFileSync(log, "utf8").trimEnd())).toMatchObject({
        code: "audited",
        would: { outcome: "deny", code: "policy.no_signers" },
      });
      const verified = await world.verify([`${world.name}@${image.digest}`, "--output", "json"]);
      expect(json(verified.stdout)).toMatchObject({ would: { outcome: "deny", code: "policy.no_signers" } });
    });
  });

  it("is a warning of policy check, and not what keeps enable from its work", async () => {
    await withCache(async (world) => {
      const path = world.policy(INSTALLED);
      const checked = await run(world, "policy", "check", "--offline", "--output", "json");
      expect(checked.code).toBe(0);
      const { findings } = json(checked.stdout) as { findings: { name: string; severity: string }[] };
      expect(findings).toEqual([
        expect.objectContaining({
          name: "no-signers",
          severity: "warning",
          file: path,
          advice: expect.stringContaining("put a DID under trustedDIDs"),
        }),
      ]);
      const socket = `${world.folder}/none.sock`;
      const doctor = await run(world, "doctor", "--offline", "--output", "json", "--address", socket);
      const found = (json(doctor.stdout) as { findings: { name: string; level: string; found: string }[] }).findings;
      expect(found.find(({ name }) => name === "policy")).toMatchObject({
        level: "warning",
        found: expect.stringContaining("; no signer yet: no pull is refused"),
      });
      expect(found.filter(({ name }) => name === "policy-errors")).toEqual([]);
      const explained = await run(world, "policy", "explain", "atcr.io/alice.example.com/app");
      expect(explained.stdout).toContain("no signer yet");
      const enabled = await run(world, "enable", "--bin-dir", join(world.folder, "bin"), "--address", socket);
      expect([enabled.code, enabled.stdout]).toEqual([0, expect.stringContaining("no signer yet")]);
    });
  });

  it("cannot enforce, whoever signed", async () => {
    await withCache(async (world, image) => {
      for (const head of ["", "trustedDIDs:\n", "trustedDIDs: {}\n", "trustedDIDs: []\n"]) {
        world.policy(`version: 1\n${head}policies:\n  - { name: all, scope: "**", action: enforce }\n`);
        expect(headline(await world.pull(world.name, image))).toBe("3 misconfigured policy.invalid");
      }
    });
  });
});
