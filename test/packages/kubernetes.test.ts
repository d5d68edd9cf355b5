import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import {
  KUBERNETES,
  kubernetesFiles,
  type Manifest,
  manifestsIn,
  schemaProblems,
} from "../support/kubernetes-manifests.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";

// The manifests for clusters by Debian's kubectl, which holds kustomize, and certificates.sh by this machine's openssl.

const testable = requirement("the manifests for clusters by kubectl", missingTool("kubectl"));

const folder = makeTemporaryDirectory("kubernetes");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DIGEST = `sha256:${"1".repeat(64)}`;

const page = readFileSync(join(KUBERNETES, "../../docs/kubernetes.md"), "utf8");

/** Builds a kustomization and returns its objects. */
async function build(path: string): Promise<readonly Manifest[]> {
  const { code, stdout, stderr } = await run(debianTool("kubectl"), ["kustomize", path]);
  expect([stderr, code]).toEqual(["", 0]);
  return manifestsIn(stdout);
}

/** A kustomization as docs/kubernetes.md has people write it. */
async function buildOwn(
  name: string,
  { resources, components }: { readonly resources: readonly string[]; readonly components: readonly string[] },
): Promise<readonly Manifest[]> {
  const own = join(folder, name);
  mkdirSync(own);
  writeFileSync(join(own, "trust-policy.yaml"), "version: 1.0\ndefault: deny # mine\n");
  const kustomization = {
    resources: resources.map((path) => relative(own, join(KUBERNETES, path))),
    components: components.map((path) => relative(own, join(KUBERNETES, path))),
    images: [{ name: "registry.example.com/atcr-verify", newName: "atcr.io/example.com/atcr-verify", digest: DIGEST }],
    ...(resources.some((path) => /^overlays\/[a-z]+$/.test(path)) && {
      configMapGenerator: [
        { name: "atcr-verify", namespace: "atcr-verify", behavior: "merge", files: ["trust-policy.yaml"] },
      ],
      generatorOptions: { disableNameSuffixHash: true },
    }),
  };
  writeFileSync(join(own, "kustomization.yaml"), JSON.stringify(kustomization));
  return build(own);
}

const one = (objects: readonly Manifest[], kind: string, name = "atcr-verify"): Manifest =>
  objects.find((object) => object.kind === kind && object.metadata.name === name) ?? expect.fail(`${kind} ${name}`);

describe.runIf(testable)("kubectl kustomize", () => {
  const complete = kubernetesFiles("kustomization.yaml").filter(
    (file) => !readFileSync(join(KUBERNETES, file), "utf8").includes("kind: Component"),
  );

  it.each(complete)("builds %s", async (file) => {
    expect((await build(join(KUBERNETES, file, ".."))).length).toBeGreaterThan(0);
  });

  it("puts one's own image and policy into the webhook's server, and all is as the schemas have it", async () => {
    const objects = await buildOwn("webhook", {
      resources: ["overlays/webhook", "overlays/require-digests"],
      components: ["components/cert-manager", "components/monitoring"],
    });
    for (const object of objects) expect([object.kind, schemaProblems(object)]).toEqual([object.kind, []]);
    expect(JSON.stringify(one(objects, "Deployment"))).toContain(`"image":"atcr.io/example.com/atcr-verify@${DIGEST}"`);
    const { data } = one(objects, "ConfigMap") as Manifest & { readonly data: Readonly<Record<string, string>> };
    expect(Object.keys(data).toSorted()).toEqual(["audit-policy.yaml", "config.yaml", "trust-policy.yaml"]);
    expect(data["trust-policy.yaml"]).toContain("# mine");
  });

  it("has Gatekeeper's and Kyverno's servers answer them alone", async () => {
    for (const [overlay, gate, caller] of [
      ["gatekeeper", "gates: [gatekeeper]", "gatekeeper-system"],
      ["kyverno", "gates: [verify]", "kyverno"],
    ] as const) {
      const objects = await buildOwn(overlay, { resources: [`overlays/${overlay}`], components: [] });
      for (const object of objects) expect([object.kind, schemaProblems(object)]).toEqual([object.kind, []]);
      expect(JSON.stringify(one(objects, "ConfigMap"))).toContain(gate);
      expect(one(objects, "NetworkPolicy")["spec"]).toMatchObject({
        ingress: [
          { from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": caller } } }] },
          { from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }] },
        ],
      });
    }
  });

  it("enforces every namespace but those that are labelled, at the end of a rollout", async () => {
    const objects = await buildOwn("enforced", {
      resources: ["overlays/webhook/registration", "overlays/require-digests"],
      components: ["components/enforce-by-default"],
    });
    interface Asked {
      readonly clientConfig: { readonly service: { readonly path: string } };
      readonly namespaceSelector: { readonly matchExpressions: readonly object[] };
    }
    const webhooks = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"].flatMap(
      (kind) => one(objects, kind)["webhooks"] as readonly Asked[],
    );
    for (const { clientConfig, namespaceSelector } of webhooks)
      expect(namespaceSelector.matchExpressions).toEqual([
        { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", "atcr-verify"] },
        {
          key: "atcr-verify/mode",
          operator: clientConfig.service.path.endsWith("/audit") ? "In" : "NotIn",
          values: ["audit"],
        },
      ]);
    const bindings = ["enforce", "audit"].map((mode) => {
      const { spec } = one(objects, "ValidatingAdmissionPolicyBinding", `atcr-verify-digests-${mode}`);
      return (spec as { matchResources: Pick<Asked, "namespaceSelector"> }).matchResources.namespaceSelector;
    });
    expect(bindings.map(({ matchExpressions }) => matchExpressions[1])).toEqual([
      { key: "atcr-verify/mode", operator: "NotIn", values: ["audit"] },
      { key: "atcr-verify/mode", operator: "In", values: ["audit"] },
    ]);
  });

  it("patches the images that may keep their tags into the policy that demands digests", async () => {
    const own = join(folder, "exempt");
    mkdirSync(own);
    copyFileSync(join(KUBERNETES, "overlays/require-digests/exempt.yaml"), join(own, "exempt.yaml"));
    const [, patches = ""] = /^(patches:\n.*exempt\.yaml.*)$/m.exec(page) ?? [];
    const resources = relative(own, join(KUBERNETES, "overlays/require-digests"));
    writeFileSync(join(own, "kustomization.yaml"), `resources: [${resources}]\n${patches}\n`);
    const policy = one(await build(own), "ValidatingAdmissionPolicy", "atcr-verify-digests");
    expect(schemaProblems(policy)).toEqual([]);
    expect(policy["spec"]).toMatchObject({
      variables: [{ name: "exempt", expression: '["registry.k8s.io/", "quay.io/calico/"]' }, {}, {}, {}],
    });
  });

  it("has Gatekeeper refuse, at the end of a rollout", async () => {
    const objects = await buildOwn("gatekeeper-enforced", {
      resources: ["overlays/gatekeeper/constraint"],
      components: ["components/gatekeeper-enforce"],
    });
    expect(one(objects, "AtcrVerify")["spec"]).toMatchObject({ enforcementAction: "deny" });
    const pins = objects.filter(({ kind }) => kind === "Assign");
    expect(pins.length).toBe(3);
    for (const { spec } of pins)
      expect(spec).toMatchObject({ parameters: { assign: { externalData: { failurePolicy: "Fail" } } } });
  });

  it("gives each replica a volume of its own for what it has seen of signers", async () => {
    const objects = await buildOwn("volume", {
      resources: ["overlays/webhook"],
      components: ["components/state-volume"],
    });
    const { spec, ...rest } = one(objects, "StatefulSet") as Manifest & { readonly spec: Record<string, unknown> };
    expect(schemaProblems({ ...rest, spec })).toEqual([]);
    expect(spec["volumeClaimTemplates"]).toMatchObject([{ metadata: { name: "state" } }]);
    const { volumes } = (spec["template"] as { spec: { volumes: readonly { name: string }[] } }).spec;
    // The volume of the claim comes with the pod.
    expect(volumes.map(({ name }) => name)).toEqual(["settings", "break-glass", "tls", "registry"]);
    expect(one(objects, "Namespace").metadata).toMatchObject({
      labels: { "pod-security.kubernetes.io/enforce": "baseline" },
    });
  });

  it("takes the folders that certificates.sh makes, of which the registration's holds no key", async () => {
    const certificates = join(folder, "certificates");
    const make = async (days: string) =>
      run("/bin/sh", [join(KUBERNETES, "certificates.sh"), certificates, days], { cwd: folder });
    const read = (name: string): string => readFileSync(join(certificates, name), "utf8");
    expect(await make("365")).toMatchObject({ code: 0, stderr: "" });
    const [authority, key] = [read("ca.crt"), read("tls.key")];
    // Renewed under the same authority, so no webhook needs a change.
    expect(await make("30")).toMatchObject({ code: 0, stderr: "" });
    expect(read("ca.crt")).toBe(authority);
    expect(read("tls.key")).not.toBe(key);

    const [ca, tls] = [new X509Certificate(authority), new X509Certificate(read("tls.crt"))];
    expect(ca.ca && !tls.ca && tls.verify(ca.publicKey)).toBe(true);
    for (const name of ["atcr-verify.atcr-verify.svc", "atcr-verify.atcr-verify"])
      expect(tls.checkHost(name)).toBe(name);
    expect(tls.checkHost("kubernetes.default.svc")).toBeUndefined();
    expect(Date.parse(tls.validTo) - Date.parse(tls.validFrom)).toBe(30 * 86_400_000);
    expect(new X509Certificate(read("client.crt")).keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);

    const objects = await buildOwn("by-openssl", {
      resources: ["overlays/webhook"],
      components: [relative(KUBERNETES, join(certificates, "server"))],
    });
    const { type, data } = one(objects, "Secret", "atcr-verify-tls") as Manifest & { data: Record<string, string> };
    expect(type).toBe("kubernetes.io/tls");
    // As cert-manager makes it; the steps for Gatekeeper and Kyverno read the authority from there.
    expect(Object.keys(data).toSorted()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
    for (const [name, value] of Object.entries(data)) expect(Buffer.from(value, "base64").toString()).toBe(read(name));
    const registered = await buildOwn("by-openssl-registered", {
      resources: ["overlays/webhook/registration", "overlays/gatekeeper/registration"],
      components: [relative(KUBERNETES, join(certificates, "registration"))],
    });
    // Deleting it must leave the server what it runs with.
    expect(registered.filter(({ metadata }) => metadata.namespace === "atcr-verify")).toEqual([]);
    expect(JSON.stringify(registered)).not.toContain("PRIVATE KEY");
    const bundles = JSON.stringify(registered).match(/"caBundle":"[^"]+"/g) ?? [];
    expect(bundles.length).toBe(8);
    expect(new Set(bundles)).toEqual(new Set([`"caBundle":"${Buffer.from(authority).toString("base64")}"`]));
  });
});
