import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import { missingPart } from "../support/kubernetes-api.ts";
import { type Cluster, type Dispatched, Dispatcher, type Verdict } from "../support/kubernetes-dispatcher.ts";
import { deployment, type KubernetesObject, pod, webhook } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";

const testable = requirement("the webhook dispatcher of Kubernetes 1.36 or later", missingPart("dispatcher"));
let node: TestNode;
let serve: ServeDaemon;
let dispatcher: Dispatcher;
let signed: string;
let unsigned: string;

beforeAll(async () => {
  if (!testable) return;
  node = await TestNode.start();
  demand(node);
  serve = await ServeDaemon.start(node);
  dispatcher = new Dispatcher();
  const name = `${node.registry.authority}/alice/app`;
  signed = `${name}@${(await node.image("signed")).digest}`;
  unsigned = `${name}@${(await node.image("unsigned", { signed: false })).digest}`;
}, 60_000);
afterAll(async () => {
  await dispatcher?.stop();
  await serve?.stop();
  await node?.stop();
});

const admit = (changes: object = {}) => webhook("admit", { url: `${serve.origin}/admit`, ca: serve.ca, changes });
const mutate = (changes: object = {}) => webhook("mutate", { url: `${serve.origin}/mutate`, ca: serve.ca, changes });

async function dispatch(request: Dispatched, cluster: Cluster = { validating: [admit()] }): Promise<Verdict> {
  const [verdict] = await dispatcher.dispatch(cluster, request);
  if (verdict === undefined) throw new Error("no answer");
  return verdict;
}

describe.runIf(testable)("a pod's images", () => {
  it("are judged wherever they are, those of image volumes too", async () => {
    const places = [
      { containers: [{ name: "c", image: unsigned }] },
      { initContainers: [{ name: "i", image: unsigned }] },
      { volumes: [{ name: "v", image: { reference: unsigned } }] },
    ];
    const [good, ...others] = await dispatcher.dispatch(
      { validating: [admit()] },
      { object: pod("x", [signed], { volumes: [{ name: "v", image: { reference: signed } }] }) },
      ...places.map((place) => ({ object: pod("x", [signed], place) })),
    );
    expect(good).toMatchObject({ allowed: true, warnings: [] });
    expect(Object.keys(good?.annotations ?? {})).toContain("admit.atcr-verify.example/verdict");
    for (const { allowed, code, message } of others) {
      expect([allowed, code]).toEqual([false, 403]);
      expect(message).toContain("signature.none");
    }
  });

  it("are judged when an ephemeral container is added", async () => {
    const debugging = (image: string) => ({
      operation: "UPDATE" as const,
      subResource: "ephemeralcontainers",
      oldObject: pod("x", [signed]),
      object: pod("x", [signed], { ephemeralContainers: [{ name: "debug", image }] }),
    });
    expect(await dispatch(debugging(signed))).toMatchObject({ allowed: true });
    expect(await dispatch(debugging(unsigned))).toMatchObject({ allowed: false, code: 403 });
  });

  it("are not judged where they stay, nor when the pod goes", async () => {
    const [object, oldObject] = [pod("x", [unsigned], {}, { labels: { a: "b" } }), pod("x", [unsigned])];
    expect(await dispatch({ operation: "UPDATE", object, oldObject })).toMatchObject({ allowed: true });
    const deleting = { validating: [admit({ rules: [{ ...ALL_PODS, operations: ["DELETE"] }] })] };
    expect(await dispatch({ operation: "DELETE", oldObject }, deleting)).toMatchObject({ allowed: true });
  });

  it("are pinned in all of these places, and then judged", async () => {
    const { name } = node;
    const { digest } = await node.image("pinned");
    node.registry.pushImage("alice/app", "pinned", "v1");
    const places = {
      initContainers: [{ name: "i", image: name }],
      volumes: [{ name: "v", image: { reference: name, pullPolicy: "Always" } }],
    };
    const cluster = { mutating: [mutate({ reinvocationPolicy: "IfNeeded" })], validating: [admit()] };
    const { allowed, object, message } = await dispatch({ object: pod("x", [name, signed], places) }, cluster);
    expect([allowed, message]).toEqual([true, undefined]);
    const pinned = `${name}@${digest}`;
    expect(object?.spec).toMatchObject({
      containers: [{ image: pinned }, { image: signed }],
      initContainers: [{ image: pinned }],
      volumes: [{ image: { reference: pinned, pullPolicy: "Always" } }],
    });
  });
});

const ALL_PODS = { apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] };

describe.runIf(testable)("matchConditions", () => {
  const condition = (expression: string) => ({
    validating: [admit({ matchConditions: [{ name: "one", expression }] })],
  });

  it("keep requests from the server, and one that cannot be evaluated refuses", async () => {
    const object = pod("x", [unsigned]);
    expect(await dispatch({ object }, condition("object.metadata.name != 'x'"))).toMatchObject({ allowed: true });
    expect(await dispatch({ object }, condition("object.metadata.name == 'x'"))).toMatchObject({ allowed: false });
    const broken = await dispatch({ object }, condition("object.metadata.labels['none'] == 'x'"));
    expect(broken).toMatchObject({ allowed: false, code: 403 });
  });
});

describe.runIf(testable)("what the dispatcher demands of a server", () => {
  const object = () => pod("x", [signed]);

  it("is a certificate of the authority that the configuration names", async () => {
    const changes = {
      clientConfig: { url: `${serve.origin}/admit`, caBundle: base64(new CertificateAuthority().cert) },
    };
    const { allowed, code, message } = await dispatch({ object: object() }, { validating: [admit(changes)] });
    expect([allowed, code]).toEqual([false, 500]);
    expect(message).toContain("certificate");
  });

  it("is an answer within the time, and a late one refuses", async () => {
    const image = `${node.registry.authority}/alice/app@${(await node.image("slow")).digest}`;
    node.pds.delay(30_000);
    try {
      const { allowed, code, message } = await dispatch(
        { object: pod("x", [image]) },
        { validating: [admit({ timeoutSeconds: 3 })] },
      );
      // The server's own answer, which comes a second before the call would have failed.
      expect([allowed, code]).toEqual([false, 503]);
      expect(message).toContain("net.deadline");
    } finally {
      node.pds.reset();
    }
  });

  it("is to be there: else the call fails, and with failurePolicy Ignore lets the pod through", async () => {
    const nobody = { clientConfig: { url: "https://127.0.0.1:1/admit", caBundle: base64(serve.ca) } };
    const request = { object: pod("x", [unsigned]) };
    expect(await dispatch(request, { validating: [admit(nobody)] })).toMatchObject({ allowed: false, code: 500 });
    const open = admit({ ...nobody, failurePolicy: "Ignore" });
    expect(await dispatch(request, { validating: [open] })).toMatchObject({ allowed: true });
  });
});

describe.runIf(testable)("the shipped configurations", () => {
  const folder = "integrations/kubernetes/overlays/webhook/registration";
  /** The webhooks of a shipped file, sent to this test's server in place of the cluster's service. */
  const shipped = (file: string, origin = serve.origin): object[] =>
    parseAllDocuments(readFileSync(`${folder}/${file}`, "utf8")).flatMap((document) => {
      const { webhooks } = document.toJS() as { webhooks: { clientConfig: { service: { path: string } } }[] };
      return webhooks.map(({ clientConfig: { service }, ...rest }) => {
        // The server here has no policy `audit`.
        const path = service.path.replace("/audit", "");
        return { ...rest, clientConfig: { url: `${origin}${path}`, caBundle: base64(serve.ca) } };
      });
    });
  const namespaces = {
    enforced: { "kubernetes.io/metadata.name": "enforced", "atcr-verify/mode": "enforce" },
    "kube-system": { "kubernetes.io/metadata.name": "kube-system" },
  };

  it("ask about pods, and leave kube-system out", async () => {
    const cluster = { validating: shipped("validating.yaml"), mutating: shipped("mutating.yaml"), namespaces };
    const [refused, free, workload] = await dispatcher.dispatch(
      cluster,
      { namespace: "enforced", object: pod("x", [unsigned]) },
      { namespace: "kube-system", object: pod("x", [unsigned]) },
      { namespace: "enforced", resource: "deployments", object: deployment("x", [unsigned]) },
    );
    expect(refused).toMatchObject({ allowed: false, code: 403 });
    expect(free).toMatchObject({ allowed: true });
    expect(workload).toMatchObject({ allowed: false, code: 403 });
  });

  it("let what runs be labelled and end while no server answers, and nothing new in", async () => {
    const origin = "https://127.0.0.1:1";
    const cluster = {
      validating: shipped("validating.yaml", origin),
      mutating: shipped("mutating.yaml", origin),
      namespaces,
    };
    const namespace = "enforced";
    const volumes = [{ name: "v", image: { reference: unsigned } }];
    const [before, labels] = [pod("x", [unsigned], { volumes }), { labels: { a: "b" } }];
    const update = (object: KubernetesObject, oldObject: KubernetesObject = before) =>
      ({ namespace, operation: "UPDATE", object, oldObject }) as const;
    const leaving = { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 };
    const workload = (image: string, replicas: number): KubernetesObject => {
      const { spec, ...rest } = deployment("x", [image]);
      return { ...rest, spec: { ...(spec as object), replicas } };
    };
    const old = workload(unsigned, 1);
    const many = Array.from({ length: 1000 }, (_, i) => `registry.example/app-${i}:v1`);
    const verdicts = await dispatcher.dispatch(
      cluster,
      update(pod("x", [unsigned], { volumes }, labels)),
      update(pod("x", [unsigned], {}, leaving), pod("x", [unsigned], { volumes }, { ...leaving, finalizers: ["a/b"] })),
      { ...update(workload(unsigned, 2), old), resource: "deployments" },
      // Within what the API server lets an expression cost.
      update(pod("x", many, {}, labels), pod("x", many)),
      { namespace, object: before },
      update(pod("x", [signed], { volumes })),
      update(pod("x", [unsigned], { volumes: [] })),
      {
        ...update(pod("x", [unsigned], { volumes, ephemeralContainers: [{ name: "d", image: unsigned }] })),
        subResource: "ephemeralcontainers",
      },
      { ...update(workload(signed, 1), old), resource: "deployments" },
    );
    const passed = verdicts.map(({ allowed }) => allowed);
    expect(passed).toEqual([true, true, true, true, false, false, false, false, false]);
    for (const { code, message } of verdicts.slice(4))
      expect([code, message]).toEqual([500, expect.stringContaining("failed calling webhook")]);
  });
});

const base64 = (text: string) => Buffer.from(text).toString("base64");
