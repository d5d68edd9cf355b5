import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, Bench } from "../support/binary.ts";
import { KUBERNETES, kubernetesFiles } from "../support/kubernetes-manifests.ts";

// The configurations and policies for clusters, by the commands that docs/kubernetes.md has people run.

let bench: Bench;
beforeAll(() => {
  bench = new Bench();
});
afterAll(() => bench.remove());

const CONFIGS = kubernetesFiles("/config.yaml");
// Kyverno's is an object of the API.
const POLICIES = kubernetesFiles("-policy.yaml");

describe.concurrent("integrations/kubernetes", () => {
  it("has a configuration for each gate, and three policies", () => {
    expect(CONFIGS.length).toBe(4);
    expect(POLICIES).toEqual([
      "base/audit-policy.yaml",
      "base/trust-policy.yaml",
      "overlays/imagepolicywebhook/trust-policy.yaml",
    ]);
  });

  it.each(CONFIGS)("%s is one in which config check finds nothing", async (file) => {
    const { code, stdout } = await ask(["config", "check", "--no-files", join(KUBERNETES, file)], { env: bench.env });
    expect([code, stdout]).toEqual([0, expect.stringContaining(": 0 errors, 0 warnings; ")]);
  });

  it.each(POLICIES)("%s trusts nobody yet, and has no error", async (file) => {
    const path = join(KUBERNETES, file);
    const { code, stdout } = await ask(["policy", "check", "--no-sandbox", "--output", "json", path], {
      env: bench.env,
    });
    const { findings } = JSON.parse(stdout) as { findings: readonly { severity: string; name: string }[] };
    expect([code, findings.map(({ severity, name }) => `${severity} ${name}`)]).toEqual([
      0,
      [expect.stringMatching(/^warning no-(?:rules|signers)$/)],
    ]);
  });
});
