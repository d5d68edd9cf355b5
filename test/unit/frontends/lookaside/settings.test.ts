import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { Rejection } from "../../../../src/core/rejection.ts";
import { SettingsOnDisk } from "../../../../src/frontends/lookaside/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "settings-"));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const POLICY = `version: "1.0"
trustedDIDs: ["did:web:a.example"]
policies:
  - { name: one, scope: "a.example/**", action: enforce, require: { maxStaleness: 1h, offlineFor: 1h } }
default: deny
`;

function settings(more = ""): SettingsOnDisk {
  const lookaside = `lookaside: { keyFile: ${path("key/node.key")} }\n`;
  writeFileSync(path("policy.yaml"), POLICY, { mode: 0o644 });
  writeFileSync(path("config.yaml"), `trustPolicyPath: ${path("policy.yaml")}\n${lookaside}${more}`, { mode: 0o644 });
  return new SettingsOnDisk({}, path("config.yaml"));
}

it("has the state and the cache beside the key, and takes no evidence that is old or from outside", () => {
  const { config, policy } = settings("bundleKeys: [/etc/a.pub]\n").current();
  expect([config.stateDir, config.cacheDir, config.bundleKeys]).toEqual([path("key/state"), path("key/cache"), []]);
  const [requirement] = policy.rules.map((rule) => rule.requirement);
  expect(requirement).not.toHaveProperty("maxStaleness");
  expect(requirement).not.toHaveProperty("offlineFor");
});

it("keeps its verifier until a file changes", () => {
  const read = settings();
  const before = read.current();
  expect(read.current()).toBe(before);
  writeFileSync(path("policy.yaml"), POLICY.replace("enforce", "audit"));
  expect(read.current().verifier).not.toBe(before.verifier);
  expect(read.current().policy.rules[0]?.action).toBe("audit");
});

it.each(["offline: true\n", "lookaside: {}\n", "stateDir: here\n"])("refuses a configuration with %j", (line) => {
  let code: string | undefined;
  try {
    settings(line).current();
  } catch (error) {
    code = error instanceof Rejection ? error.code : String(error);
  }
  expect(code).toBe("config.invalid");
});
