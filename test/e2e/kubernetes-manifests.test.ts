import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { type ApiReply, KubernetesApi, missingKubernetesApi } from "../support/kubernetes-api.ts";
import { imagesIn } from "../support/kubernetes-bed.ts";
import { documentsOf } from "../support/kubernetes-manifests.ts";
import { deployment, type KubernetesObject, pod } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";

// The shipped registration of the webhooks at an API server, in the steps of docs/kubernetes.md: nothing of it is replaced
// but the address, as there is no network of pods.

const testable = requirement("the shipped webhook configurations at an API server", ...missingKubernetesApi());
let [node, serve, api] = [] as unknown as [TestNode, ServeDaemon, KubernetesApi];
let signed: string;
let unsigned: string;

interface Shipped {
  readonly kind: string;
  readonly webhooks: readonly { readonly clientConfig: { readonly service: { readonly path: string } } }[];
}
const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";

async function register(file: string): Promise<void> {
  const [shipped] = documentsOf<Shipped>(`overlays/webhook/registration/${file}`);
  const webhooks = shipped?.webhooks.map((webhook) => ({
    ...webhook,
    clientConfig: {
      url: `${serve.origin}${webhook.clientConfig.service.path}`,
      caBundle: Buffer.from(serve.ca).toString("base64"),
    },
  }));
  const path = `${REGISTRATION}/${String(shipped?.kind).toLowerCase()}s`;
  expect(await api.call("POST", path, { ...shipped, webhooks })).toMatchObject({ status: 201 });
}

/** Before Kubernetes 1.21 the API server did not set the label with the namespace's name. */
async function namespace(name: string, mode?: string): Promise<void> {
  const labels = { "kubernetes.io/metadata.name": name, ...(mode !== undefined && { "atcr-verify/mode": mode }) };
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  const type = "application/merge-patch+json";
  const { status } = await api.call("PATCH", `/api/v1/namespaces/${name}`, object, type);
  if (status === 404) expect((await api.call("POST", "/api/v1/namespaces", object)).status).toBe(201);
}

function create(name: string, object: KubernetesObject, query = ""): Promise<ApiReply> {
  const [group, kinds] = object["kind"] === "Pod" ? ["/api/v1", "pods"] : ["/apis/apps/v1", "deployments"];
  return api.call("POST", `${group}/namespaces/${name}/${kinds}${query}`, object);
}

beforeAll(async () => {
  if (!testable) return;
  node = await TestNode.start();
  demand(node);
  const rules = [{ name: "all", scope: "**/*", action: "audit" }];
  const policy = { version: 1, trustedDIDs: { [node.signer.did]: {} }, policies: rules };
  const audit = node.policy(JSON.stringify(policy), "audit.yaml");
  const settings = { network: { allow: ["127.0.0.1/32", "::1"] } };
  serve = await ServeDaemon.start(node, { settings, server: { policies: { audit } } });
  api = await KubernetesApi.start();
  await Promise.all([node.image("yes"), node.image("no", { signed: false })]);
  node.registry.pushImage("alice/app", "yes", "yes");
  node.registry.pushImage("alice/app", "no", "no");
  [signed, unsigned] = ["yes", "no"].map((tag) => `${node.registry.authority}/alice/app:${tag}`) as [string, string];
  for (const file of ["mutating.yaml", "validating.yaml"]) await register(file);
  await namespace("shop");
  await namespace("staging");
  await namespace("kube-system", "enforce");
}, 120_000);
afterAll(async () => {
  await api?.stop();
  await serve?.stop();
  await node?.stop();
});

describe.runIf(testable)("the shipped registration", () => {
  it("is taken by the API server, which asks once it has read it", async () => {
    const asked = async () => (await create("shop", pod("first", [unsigned]), "?dryRun=All")).warnings.length;
    await expect.poll(asked, { timeout: 20_000 }).toBeGreaterThan(0);
  });

  it("begins by auditing: what is unsigned is created, pinned, with a warning", async () => {
    const reply = await create("shop", pod("try", [unsigned]));
    expect([reply.status, reply.warnings]).toEqual([
      201,
      [expect.stringContaining("atcr-verify would refuse this: signature.none")],
    ]);
    expect(imagesIn(reply)).toEqual([expect.stringMatching(/\/alice\/app:no@sha256:[0-9a-f]{64}$/)]);
  });

  it("refuses once the namespace is labelled, and no other", async () => {
    await namespace("shop", "enforce");
    const refused = async () => (await create("shop", pod("again", [unsigned]), "?dryRun=All")).message;
    await expect.poll(refused, { timeout: 20_000 }).toContain("denied the request: signature.none");
    expect(await create("shop", pod("refused", [unsigned]))).toMatchObject({
      status: 403,
      message: expect.stringMatching(
        /^admission webhook "pods\.enforce\.atcr-verify" denied the request: signature\.none /,
      ),
    });
    expect((await create("staging", pod("other", [unsigned]))).status).toBe(201);
  });

  it("admits what is signed, pinned, and workloads with their tags", async () => {
    const reply = await create("shop", pod("signed", [signed]));
    expect([reply.status, reply.warnings, imagesIn(reply)]).toEqual([
      201,
      [],
      [expect.stringMatching(/\/alice\/app:yes@sha256:[0-9a-f]{64}$/)],
    ]);
    const workload = await create("shop", deployment("signed", [signed]));
    const { template } = (workload.body["spec"] ?? {}) as { template: { spec: { containers: readonly object[] } } };
    expect([workload.status, template.spec.containers[0]]).toEqual([201, expect.objectContaining({ image: signed })]);
  });

  it("refuses a workload whose pods would be refused", async () => {
    expect(await create("shop", deployment("unsigned", [unsigned]))).toMatchObject({
      status: 403,
      message: expect.stringMatching(
        /^admission webhook "workloads\.enforce\.atcr-verify" denied the request: signature\.none /,
      ),
    });
  });

  it("asks about no pod of kube-system, whatever its label says", async () => {
    const reply = await create("kube-system", pod("coredns", [unsigned]));
    expect([reply.status, reply.warnings, imagesIn(reply)]).toEqual([201, [], [unsigned]]);
  });

  it("refuses where images are enforced while the server is down, and nowhere else", async () => {
    await serve.stop();
    expect(await create("shop", pod("down", [signed]))).toMatchObject({
      status: 500,
      message: expect.stringContaining("failed calling webhook"),
    });
    expect((await create("staging", pod("down", [unsigned]))).status).toBe(201);
    expect((await create("kube-system", pod("down", [unsigned]))).status).toBe(201);
  });

  it("is taken out by deleting it", async () => {
    for (const kind of ["mutating", "validating"])
      expect((await api.call("DELETE", `${REGISTRATION}/${kind}webhookconfigurations/atcr-verify`)).status).toBe(200);
    const created = async () => (await create("shop", pod("after", [unsigned]), "?dryRun=All")).status;
    await expect.poll(created, { timeout: 20_000 }).toBe(201);
  });
});
