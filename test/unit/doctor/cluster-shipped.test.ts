import { describe, expect, it } from "vitest";
import { checkCluster } from "../../../src/doctor/cluster-checks.ts";
import { documentsOf, type Manifest } from "../../support/kubernetes-manifests.ts";
import { BUILD, CA_BUNDLE, list, type Objects, PATHS, standInCluster } from "../../support/stand-in-cluster.ts";

// The manifests that are shipped, as a cluster would hold them: the doctor must find nothing to mend.

/** As cert-manager completes it. */
function completed(file: string): Manifest {
  const [found] = documentsOf<Manifest & { webhooks: { clientConfig: object }[] }>(
    `overlays/webhook/registration/${file}`,
  );
  if (found === undefined) throw new Error(`${file} is empty`);
  const webhooks = found.webhooks.map(({ clientConfig, ...webhook }) => ({
    ...webhook,
    clientConfig: { ...clientConfig, caBundle: CA_BUNDLE },
  }));
  return { ...found, webhooks };
}

const namespace = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  metadata: { name, labels: { "kubernetes.io/metadata.name": name, ...labels } },
});

async function findings(changes: Objects) {
  const place = { server: "https://api.test", namespace: "default", deadline: 8000 };
  const question = { ...place, resolvesTags: false, now: Date.now(), build: BUILD };
  return checkCluster({ ask: standInCluster(changes), ...question });
}

const SHIPPED: Objects = {
  [PATHS.validating]: list(completed("validating.yaml")),
  [PATHS.mutating]: list(completed("mutating.yaml")),
  [PATHS.namespaces]: list(
    namespace("default"),
    namespace("kube-system"),
    namespace("atcr-verify"),
    namespace("shop", { "atcr-verify/mode": "enforce" }),
  ),
};

describe("the shipped webhooks", () => {
  it("have no problem and no warning, and a note that they fail open where nothing is enforced", async () => {
    const found = await findings(SHIPPED);
    expect(found.filter(({ level }) => level === "problem" || level === "warning")).toEqual([]);
    const open = found.filter(({ name, found: text }) => name === "cluster-failure-policy" && text.includes("/admit/"));
    expect(open.length).toBeGreaterThan(0);
    for (const { level, found: text } of open)
      expect([level, text]).toEqual(["note", expect.stringContaining("audit")]);
  });

  it("have a dozen lines in all, as what all of them have is said once", async () => {
    const found = await findings(SHIPPED);
    expect(found.length).toBeLessThanOrEqual(12);
    const authority = found.filter(({ name }) => name === "cluster-authority");
    expect(authority).toMatchObject([
      { found: expect.stringMatching(/^pods\.enforce\.atcr-verify, pods\.audit.*, pin\./) },
    ]);
  });

  it("have each matchCondition shown once for those that have the same", async () => {
    const shown = (await findings(SHIPPED)).filter(({ name }) => name === "cluster-match-conditions");
    const names = shown.map(({ found }) => [...found.matchAll(/ ([a-z-]+) \(/g)].map(([, name]) => name));
    expect(names).toEqual([
      ["is-not-leaving", "changes-images"],
      ["is-not-leaving", "changes-its-pods"],
    ]);
  });

  it("judge each namespace by the policy of its label", async () => {
    const summary = (await findings(SHIPPED)).filter(({ name }) => name === "cluster-namespaces").at(-1);
    expect(summary?.found).toMatch(/^pods of 2 namespaces are selected: 1 for \/admit\/audit, 1 for \/admit;/);
  });
});
