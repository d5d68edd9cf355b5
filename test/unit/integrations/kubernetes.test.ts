import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
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
    expect(container.resources.limits["memory"]).toBe("256Mi");
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

  it("asks the paths and policies that the server has", () => {
    const config = readFileSync(join(KUBERNETES, "base/config.yaml"), "utf8");
    expect(config).toContain("gates: [admit, mutate]");
    expect(config).toMatch(/policies:\n {4}audit: /);
  });
});
