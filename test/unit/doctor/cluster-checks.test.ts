import { describe, expect, it } from "vitest";
import { type ClusterQuestion, checkCluster } from "../../../src/doctor/cluster-checks.ts";
import { ADD_AUTHORITY } from "../../../src/io/net/authorities.ts";
import { HttpFailure } from "../../../src/io/net/exchange.ts";
import type { AskApi } from "../../../src/platform/kubernetes/api-client.ts";
import {
  BUILD,
  CA_BUNDLE,
  configuration,
  type Decide,
  denied,
  list,
  type Objects,
  PATHS,
  standInCluster,
  webhook,
} from "../../support/stand-in-cluster.ts";

async function findings(ask: AskApi, namespace = "default", changes: Partial<ClusterQuestion> = {}) {
  const question = {
    server: "https://api.test",
    namespace,
    deadline: 8000,
    resolvesTags: false,
    now: Date.now(),
    build: BUILD,
    ...changes,
  };
  const all = await checkCluster({ ask, ...question });
  return { all, of: (name: string) => all.filter((finding) => finding.name === name) };
}

const levelsOf = async (name: string, changes: Objects, decide?: Decide) =>
  (await findings(standInCluster(changes, decide))).of(name).map(({ level }) => level);

describe("a cluster that is set up as it should be", () => {
  it("has no problem and no warning", async () => {
    const { all } = await findings(standInCluster());
    expect(all.filter(({ level }) => level === "problem" || level === "warning")).toEqual([]);
    expect(new Set(all.map(({ name }) => name))).toEqual(
      new Set([
        "cluster-api",
        "cluster-webhook",
        "cluster-authority",
        "cluster-namespaces",
        "cluster-replicas",
        "cluster-service",
        "cluster-safety-net",
        "cluster-probe",
      ]),
    );
  });
});

describe("the API server", () => {
  it("is a problem where it does not answer, or not this user", async () => {
    const silent: AskApi = () => Promise.reject(new HttpFailure("unreachable", "connection refused"));
    expect((await findings(silent)).all).toMatchObject([{ level: "problem", name: "cluster-api" }]);
    const stranger = standInCluster({ "/version": denied("Unauthorized", 401) });
    expect((await findings(stranger)).all).toMatchObject([{ level: "problem", name: "cluster-api" }]);
  });

  it.each([
    ["v1.20.2", "warning"],
    ["v1.29.14-eks-1", "warning"],
    ["v1.30.0", "ok"],
    ["v1.36.4+k3s1", "ok"],
    ["unknown", "ok"],
  ])("may be too old to keep matchConditions: %s", async (gitVersion, level) => {
    const { of } = await findings(standInCluster({ "/version": { gitVersion } }));
    expect(of("cluster-api")).toMatchObject([{ level, found: expect.stringContaining(gitVersion) }]);
  });

  it("is verified by the kubeconfig's authority, and not by what the program's own configuration names", async () => {
    const untrusted = new HttpFailure("tls", `its certificate does not chain: ${ADD_AUTHORITY} (SELF_SIGNED)`);
    const [found] = (await findings(() => Promise.reject(untrusted))).all;
    expect(found?.found).toBe("https://api.test did not answer: its certificate does not chain (SELF_SIGNED)");
    expect(found?.advice).toContain("certificate-authority-data");
  });

  it("does not make what this user may not list look like what is not there", async () => {
    const forbidden = denied('User "a" cannot list resource', 403);
    const { of } = await findings(
      standInCluster({ [PATHS.validating]: forbidden, [PATHS.mutating]: forbidden, [PATHS.namespaces]: forbidden }),
    );
    expect(of("cluster-permission").map(({ level }) => level)).toEqual(["warning", "warning", "warning"]);
    expect(of("cluster-webhook")).toEqual([]);
    expect(of("cluster-namespaces")).toEqual([]);
    expect(of("cluster-rules")).toEqual([]);
    expect(of("cluster-probe")).toMatchObject([{ level: "ok" }, { level: "ok" }]);
  });
});

describe("a namespace that is being deleted", () => {
  it("takes no new pods, so nothing is said of it", async () => {
    const labels = { "kubernetes.io/metadata.name": "kube-system" };
    const ending = { metadata: { name: "old", labels, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    const { of } = await findings(standInCluster({ [PATHS.namespaces]: list(ending) }));
    expect(of("cluster-namespaces")).toEqual([]);
  });
});

describe("each check", () => {
  it.each<[string, Objects, string]>([
    [
      "cluster-failure-policy",
      { [PATHS.validating]: list(configuration(webhook({ failurePolicy: "Ignore" }))) },
      "problem",
    ],
    [
      "cluster-authority",
      { [PATHS.mutating]: list(configuration(webhook({ clientConfig: {} }, "/mutate"))) },
      "warning",
    ],
    [
      "cluster-rules",
      { [PATHS.validating]: list(configuration(webhook({ rules: [{ ...webhook().rules[0], resources: ["pods"] }] }))) },
      "problem",
    ],
    ["cluster-replicas", { [PATHS.slices]: list() }, "problem"],
    ["cluster-webhook", { [PATHS.mutating]: list() }, "warning"],
    ["cluster-service", { [PATHS.proxy]: denied("no endpoints available", 503) }, "warning"],
    ["cluster-safety-net", { [PATHS.policies]: undefined }, "note"],
    ["cluster-webhook", { [PATHS.validating]: list() }, "problem"],
  ])("is run: %s", async (name, changes, level) => {
    expect(await levelsOf(name, changes)).toContain(level);
  });

  it("of pins is not run where the server resolves tags, or mutating webhooks cannot be listed", async () => {
    const none = standInCluster({ [PATHS.mutating]: list() });
    const unknown = standInCluster({ [PATHS.mutating]: denied("forbidden") });
    for (const found of [await findings(none, "default", { resolvesTags: true }), await findings(unknown)])
      expect(found.of("cluster-webhook").map(({ level }) => level)).toEqual(["ok"]);
  });

  it("of the probe says where no webhook selects its namespace", async () => {
    const admit: Decide = () => undefined;
    const open = { metadata: { name: "default", labels: { "kubernetes.io/metadata.name": "kube-system" } } };
    const { of } = await findings(standInCluster({ [PATHS.namespaces]: list(open) }, admit));
    expect(of("cluster-probe")).toMatchObject([
      { level: "problem", found: expect.stringContaining("selects default") },
    ]);
  });

  it("of the probe says which webhook hides its error", async () => {
    const open = list(configuration(webhook({ failurePolicy: "Ignore" }, "/admit/audit")));
    const { of } = await findings(standInCluster({ [PATHS.validating]: open }, () => undefined));
    const found = expect.stringContaining("Ignore of admit.atcr-verify.example, which selects default");
    expect(of("cluster-probe")).toMatchObject([{ level: "problem", found }]);
  });
});

describe("another gate", () => {
  const provider = { metadata: { name: "atcr-verify" }, spec: { url: "https://x", timeout: 2, caBundle: CA_BUNDLE } };
  const policy = {
    metadata: { name: "atcr-verify" },
    spec: { validations: [{ expression: 'http.Post("/v1/verify")' }] },
  };

  it("takes the place of a webhook of this program", async () => {
    for (const objects of [{ [PATHS.providers]: list(provider) }, { [PATHS.kyverno]: list(policy) }]) {
      const { of } = await findings(standInCluster({ [PATHS.validating]: list(), ...objects }));
      expect(of("cluster-webhook")[0]).toMatchObject({ level: "note" });
      expect([...of("cluster-gatekeeper"), ...of("cluster-kyverno")].map(({ level }) => level)).toContain("problem");
    }
  });
});
