import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/core/config/parse-config.ts";
import { readServerBreakGlass } from "../../../src/core/policy/parse-server-break-glass.ts";
import {
  documentsOf,
  KUBERNETES,
  kubernetesFiles,
  type Manifest,
  schemaProblems,
} from "../../support/kubernetes-manifests.ts";

/** Objects of the API: files of kustomize, of kubeadm and of the server itself have no metadata. */
const objects = kubernetesFiles(".yaml").flatMap((file) =>
  documentsOf<Partial<Manifest>>(file)
    .filter((document): document is Manifest => document.metadata !== undefined)
    .map((manifest) => [file, manifest] as const),
);
/** Kinds whose schemas no package has. */
const UNCHECKED = /^(?:.*\.gatekeeper\.sh|policies\.kyverno\.io)\//;
const checked = objects.filter(([, { apiVersion }]) => !UNCHECKED.test(apiVersion));
const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;

describe("integrations/kubernetes", () => {
  it("is YAML in which no key stands twice", () => {
    for (const file of kubernetesFiles(".yaml")) expect(documentsOf(file).length, file).toBeGreaterThan(0);
  });

  it.each(checked.map(([file, manifest]) => [file, nameOf(manifest), manifest] as const))(
    "%s: %s is as the published schema has it",
    (_, __, manifest) => {
      expect(schemaProblems(manifest)).toEqual([]);
    },
  );

  it("has these objects, of which no package has the schemas of Gatekeeper's and Kyverno's", () => {
    const rest = objects.filter((one) => !checked.includes(one)).map(([, { kind }]) => kind);
    expect([...new Set(rest)].toSorted()).toEqual([
      "Assign",
      "AtcrVerify",
      "ConstraintTemplate",
      "Provider",
      "ValidatingPolicy",
    ]);
    expect(checked.length).toBeGreaterThan(18);
  });

  it("would be refused by the schemas for a typing error, a wrong type and a missing key", () => {
    const [deployment] = documentsOf("base/deployment.yaml") as [Manifest];
    const spec = deployment["spec"] as Record<string, unknown>;
    const wrong = (change: object): readonly string[] =>
      schemaProblems({ ...deployment, spec: { ...spec, ...change } });
    expect(wrong({})).toEqual([]);
    expect(wrong({ replica: 2 })).toEqual(["/spec/replica: an unknown key"]);
    expect(wrong({ replicas: "2" })).toEqual([expect.stringContaining("/spec/replicas must be integer")]);
    expect(wrong({ selector: undefined })).toEqual([expect.stringContaining("selector")]);
  });
});

interface Container {
  readonly image: string;
  readonly ports: readonly object[];
  readonly volumeMounts: readonly { readonly mountPath: string }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: { readonly limits: Readonly<Record<string, string>> };
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

const { spec: deployed } = documentsOf<{ spec: { template: { spec: PodSpec } } }>("base/deployment.yaml")[0] ?? {};
const { spec: placed } = documentsOf<{ spec: PodSpec }>("overlays/imagepolicywebhook/static-pod.yaml")[0] ?? {};

describe.each([
  ["the Deployment", deployed?.template.spec as PodSpec],
  ["the static pod", placed as PodSpec],
])("%s", (_, spec) => {
  const [container] = spec.containers;

  it("is what the Pod Security Standard `restricted` asks for, with a root file system that is read-only", () => {
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.resources.limits["memory"]).toBe("384Mi");
  });

  it("has no token of the API server, and an image by digest that names none yet", () => {
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(container.image).toMatch(/@sha256:0{64}$/);
  });
});

interface Webhook {
  readonly name: string;
  readonly clientConfig: {
    readonly service: { readonly path: string; readonly name: string; readonly namespace: string };
  };
  readonly namespaceSelector: Selector;
  readonly objectSelector?: object;
  readonly failurePolicy: string;
  readonly rules: readonly { readonly resources: readonly string[]; readonly operations: readonly string[] }[];
  readonly [field: string]: unknown;
}
interface Selector {
  readonly matchExpressions: readonly Expression[];
}
interface Expression {
  readonly key: string;
  readonly operator: "In" | "NotIn";
  readonly values: readonly string[];
}

/** As the API server matches: NotIn also matches where the label is missing. */
function matches({ matchExpressions }: Selector, labels: Readonly<Record<string, string>>): boolean {
  return matchExpressions.every(({ key, operator, values }) => {
    const value = labels[key];
    return (value !== undefined && values.includes(value)) === (operator === "In");
  });
}

const registered = (file: string): readonly Webhook[] =>
  documentsOf(`overlays/webhook/registration/${file}`).flatMap(({ webhooks }) => webhooks as readonly Webhook[]);
const validating = registered("validating.yaml");
const mutating = registered("mutating.yaml");
const named = (name: string, mode?: string): Readonly<Record<string, string>> => ({
  "kubernetes.io/metadata.name": name,
  ...(mode !== undefined && { "atcr-verify/mode": mode }),
});
const asking = (resource: string): readonly Webhook[] =>
  [...validating, ...mutating].filter(({ rules }) => rules.some(({ resources }) => resources.includes(resource)));

describe("the registration of the webhooks", () => {
  it.each([...validating, ...mutating])("$name has every field that decides what an error does", (webhook) => {
    expect(webhook).toMatchObject({
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      timeoutSeconds: 10,
      matchPolicy: "Equivalent",
      clientConfig: { service: { namespace: "atcr-verify", name: "atcr-verify" } },
    });
    // A label of the object is its author's.
    expect(webhook.objectSelector).toBeUndefined();
    expect(webhook.rules.every(({ operations }) => operations.join(",") === "CREATE,UPDATE")).toBe(true);
    // Only what refuses nothing may be skipped.
    const { path } = webhook.clientConfig.service;
    expect(webhook.failurePolicy).toBe(path.endsWith("/audit") ? "Ignore" : "Fail");
  });

  it.each(["pods", "pods/ephemeralcontainers"])("asks about %s in both kinds", (resource) => {
    const paths = asking(resource).map(({ clientConfig }) => clientConfig.service.path);
    expect(paths).toEqual(["/admit", "/admit/audit", "/mutate", "/mutate/audit"]);
  });

  it.each([
    ["production", "enforce", ["/admit", "/mutate"]],
    ["production", "audit", ["/admit/audit", "/mutate/audit"]],
    ["production", undefined, ["/admit/audit", "/mutate/audit"]],
    ["production", "Enforce", ["/admit/audit", "/mutate/audit"]],
    ["kube-system", "enforce", []],
    ["kube-system", undefined, []],
    ["atcr-verify", "enforce", []],
  ])("asks about pods in %s, labelled %s, once under %j", (namespace, mode, paths) => {
    const asked = asking("pods").filter(({ namespaceSelector }) => matches(namespaceSelector, named(namespace, mode)));
    expect(asked.map(({ clientConfig }) => clientConfig.service.path)).toEqual(paths);
  });
});

describe("the servers' configurations", () => {
  const read = (file: string) => {
    const config = parseConfig(readFileSync(join(KUBERNETES, file), "utf8"), file);
    return { ...config, server: config.server ?? expect.fail(file) };
  };
  const mounts = deployed?.template.spec.containers[0].volumeMounts.map(({ mountPath }) => mountPath) ?? [];

  it.each([
    ["base/config.yaml", ["admit", "mutate"]],
    ["overlays/gatekeeper/config.yaml", ["gatekeeper"]],
    ["overlays/kyverno/config.yaml", ["verify"]],
  ])("%s listens where the Deployment has its ports and probes, and has no other gate", (file, gates) => {
    const { server } = read(file);
    const listening = server.listeners.map(({ port, gates: of, tls }) => [port, of, tls !== undefined]);
    expect(listening).toEqual([
      [8443, gates, true],
      [8080, ["health", "metrics"], false],
    ]);
    expect(deployed?.template.spec.containers[0].ports).toEqual([
      { name: "https", containerPort: 8443 },
      { name: "metrics", containerPort: 8080 },
    ]);
  });

  it("names files that are mounted, in folders that are mounted whole", () => {
    for (const file of ["base/config.yaml", "overlays/gatekeeper/config.yaml", "overlays/kyverno/config.yaml"]) {
      const { trustPolicyPath, registryCredentials, server } = read(file);
      const paths = [
        trustPolicyPath,
        ...(registryCredentials.files ?? []),
        ...server.listeners.flatMap(({ tls }) => (tls === undefined ? [] : [tls.certFile, tls.keyFile])),
        ...server.policies.values(),
        ...(server.breakGlassFile === undefined ? [] : [server.breakGlassFile]),
      ];
      expect(paths.filter((path) => !mounts.includes(dirname(path)))).toEqual([]);
      // Kyverno's tokens have a mount of their own, which its overlay adds.
      expect(server.tokenFiles).toEqual(file.includes("kyverno") ? ["/etc/atcr-verify-tokens/tokens"] : []);
    }
    expect(JSON.stringify(deployed)).not.toContain("subPath");
  });

  it("has the policies that the webhooks' paths pick", () => {
    const { server } = read("base/config.yaml");
    const picked = [...validating, ...mutating].map(({ clientConfig }) => clientConfig.service.path.split("/")[2]);
    expect([...new Set(picked)]).toEqual([undefined, ...server.policies.keys()]);
    // Else a tag that was judged might be another image at the pull.
    expect(server.tags).toBe("refuse");
  });

  it("keeps the time that each caller has", () => {
    const { deadline } = read("base/config.yaml");
    for (const { timeoutSeconds } of [...validating, ...mutating])
      expect(deadline + 1000).toBeLessThanOrEqual((timeoutSeconds as number) * 1000);
    const providers = documentsOf("overlays/gatekeeper/registration/provider.yaml");
    for (const { spec } of providers)
      expect(read("overlays/gatekeeper/config.yaml").deadline).toBeLessThan(
        (spec as { timeout: number }).timeout * 1000,
      );
  });

  it("has the API server of kubeadm ask on loopback, show a certificate, and refuse without an answer", () => {
    const { server } = read("overlays/imagepolicywebhook/config.yaml");
    const [reviews] = server.listeners;
    expect(reviews).toMatchObject({ gates: ["imagereview"], tls: { clientCaFile: "/etc/atcr-verify/ca.crt" } });
    const [kubeconfig] = documentsOf<{ clusters: readonly { cluster: { server: string } }[] }>(
      "overlays/imagepolicywebhook/kubeconfig.yaml",
    );
    expect(kubeconfig?.clusters[0]?.cluster.server).toBe(`https://127.0.0.1:${reviews?.port}/imagereview`);
    const [admission] = documentsOf<{ plugins: readonly { configuration: { imagePolicy: object } }[] }>(
      "overlays/imagepolicywebhook/admission.yaml",
    );
    expect(admission?.plugins[0]?.configuration.imagePolicy).toEqual({
      kubeConfigFile: "/etc/kubernetes/atcr-verify/kubeconfig.yaml",
      allowTTL: 30,
      denyTTL: 10,
      retryBackoff: 500,
      defaultAllow: false,
    });
  });
});

describe("docs/kubernetes.md", () => {
  const page = readFileSync(join(KUBERNETES, "../../docs/kubernetes.md"), "utf8");

  it("shows a break-glass file that the server reads, of the name that is mounted", () => {
    const [, text = ""] = /^\$ cat break-glass\.yaml\n([\s\S]*?)^\$ /m.exec(page) ?? [];
    expect(readServerBreakGlass(text, "break-glass.yaml").namespaces).toEqual(new Set(["shop"]));
    expect(page).toContain("create configmap atcr-verify-break-glass --from-file=break-glass.yaml");
    expect(JSON.stringify(deployed)).toContain('"configMap":{"name":"atcr-verify-break-glass","optional":true}');
  });

  it("names folders and files that are there", () => {
    const named = Array.from(
      page.matchAll(/\bkubernetes\/((?:overlays|components|base)[a-z/.-]*[a-z])/g),
      ([, path = ""]) => path,
    );
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((path) => !existsSync(join(KUBERNETES, path)))).toEqual([]);
  });
});

describe("what Gatekeeper is given", () => {
  it("pins each list of containers, and refuses nothing where it cannot, until it is enforced", () => {
    const pins = documentsOf<Manifest & { spec: Record<string, unknown> }>("overlays/gatekeeper/constraint/pin.yaml");
    expect(pins.map(({ spec }) => spec["location"])).toEqual([
      "spec.containers[name:*].image",
      "spec.initContainers[name:*].image",
      "spec.ephemeralContainers[name:*].image",
    ]);
    for (const { spec } of pins)
      expect(spec["parameters"]).toEqual({
        assign: {
          externalData: { provider: "atcr-verify-pin", dataSource: "ValueAtLocation", failurePolicy: "Ignore" },
        },
      });
    const [constraint] = documentsOf("overlays/gatekeeper/constraint/constraint.yaml");
    expect(constraint?.["spec"]).toMatchObject({ enforcementAction: "warn" });
  });

  it("asks providers at the server's paths, with a whole number of seconds that is not 0", () => {
    const providers = documentsOf<Manifest & { spec: Record<string, unknown> }>(
      "overlays/gatekeeper/registration/provider.yaml",
    );
    expect(providers.map(({ metadata, spec }) => [metadata.name, spec["url"], spec["timeout"]])).toEqual([
      ["atcr-verify", "https://atcr-verify.atcr-verify/gatekeeper/verify", 3],
      ["atcr-verify-pin", "https://atcr-verify.atcr-verify/gatekeeper/mutate", 3],
    ]);
  });
});
