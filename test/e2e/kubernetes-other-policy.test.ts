import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { auditing, enforcing, TestNode } from "../support/binary.ts";
import { missingPart } from "../support/kubernetes-api.ts";
import { type Cluster, type Dispatched, Dispatcher, type Verdict } from "../support/kubernetes-dispatcher.ts";
import { documentsOf, KUBERNETES } from "../support/kubernetes-manifests.ts";
import { pod } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";

// The example "Another policy for some namespaces" of docs/kubernetes.md, in the shipped registration.

const testable = requirement("the example of another policy in Kubernetes 1.36", missingPart("dispatcher"));
const NAME = "kubernetes.io/metadata.name";

interface Webhook {
  readonly name: string;
  readonly clientConfig: { readonly service: { readonly path: string } };
  readonly namespaceSelector: object;
}

const page = readFileSync(join(KUBERNETES, "../../docs/kubernetes.md"), "utf8");
const [, section = ""] = /^## Another policy for some namespaces\n(.*?)^## /ms.exec(page) ?? [];
const [policies, copies] = [...section.matchAll(/^```text\n(.*?)^```$/gms)].map(([, text = ""]) => parse(text)) as [
  { readonly policies: Readonly<Record<string, string>> },
  readonly [Webhook],
];
/** What the page says of the copy in mutating.yaml. */
const [, pinName = "", pinPath = ""] = /the name is `([^`]+)`, the path `([^`]+)`/.exec(section) ?? [];

let [node, serve, dispatcher] = [] as unknown as [TestNode, ServeDaemon, Dispatcher];
let [signed, unsigned] = ["", ""];

beforeAll(async () => {
  if (!testable) return;
  node = await TestNode.start();
  // A refusal by this policy has another code than the others' have.
  const rule = { name: "elsewhere", scope: "registry.example/**", action: "enforce" };
  node.policy(JSON.stringify({ version: 1, trustedDIDs: [node.signer.did], policies: [rule], default: "deny" }));
  const texts: Readonly<Record<string, string>> = {
    audit: auditing(node.signer.did),
    payments: enforcing(node.signer.did),
  };
  const files = Object.entries(policies.policies).map(([name, path]) => [
    name,
    node.policy(texts[name] ?? "", basename(path)),
  ]);
  serve = await ServeDaemon.start(node, { server: { policies: Object.fromEntries(files) } });
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

/** The webhooks of a shipped file and, after them, a copy of one with the changes. */
function registered(file: string, original: string, changes: Partial<Webhook>): readonly object[] {
  const [{ webhooks } = { webhooks: [] }] = documentsOf<{ webhooks: readonly Webhook[] }>(
    `overlays/webhook/registration/${file}`,
  );
  const copied = webhooks.find(({ name }) => name === original);
  if (copied === undefined) throw new Error(`${file} has no ${original}`);
  return [...webhooks, { ...copied, ...changes }].map(({ clientConfig: { service }, ...rest }) => ({
    ...rest,
    clientConfig: { url: `${serve.origin}${service.path}`, caBundle: Buffer.from(serve.ca).toString("base64") },
  }));
}

function cluster(): Cluster {
  const [example] = copies;
  const { namespaceSelector } = example;
  const pin = { name: pinName, clientConfig: { service: { path: pinPath } }, namespaceSelector };
  const labels = { "atcr-verify/policy": "payments" };
  return {
    validating: registered("validating.yaml", "pods.enforce.atcr-verify", example),
    mutating: registered("mutating.yaml", "pin.enforce.atcr-verify", pin),
    namespaces: {
      shop: { [NAME]: "shop" },
      payments: { [NAME]: "payments", ...labels },
      both: { [NAME]: "both", ...labels, "atcr-verify/mode": "enforce" },
      "kube-system": { [NAME]: "kube-system", ...labels },
    },
  };
}

async function create(namespace: string, image: string): Promise<Verdict | undefined> {
  const request: Dispatched = { namespace, object: pod("x", [image]) };
  return (await dispatcher.dispatch(cluster(), request))[0];
}

const refusedBy = (name: string, code: string) => ({
  allowed: false,
  code: 403,
  message: expect.stringContaining(`admission webhook "${name}" denied the request: ${code}`),
});

describe.runIf(testable)("another policy for some namespaces", () => {
  it("is in the server's configuration beside what is shipped", () => {
    const [shipped] = documentsOf<{ server: { policies: Readonly<Record<string, string>> } }>("base/config.yaml");
    expect(policies.policies).toMatchObject(shipped?.server.policies ?? { none: "" });
    expect(Object.keys(policies.policies)).toContain("payments");
  });

  it("judges the pods of a namespace with the label, and the others are judged as before", async () => {
    expect(await create("payments", signed)).toMatchObject({ allowed: true, warnings: [] });
    const refused = await create("payments", unsigned);
    expect(refused).toMatchObject(refusedBy("pods.payments.atcr-verify", "signature.none"));
    const audited = await create("shop", unsigned);
    expect(audited).toMatchObject({ allowed: true, warnings: [expect.stringContaining("signature.none")] });
    expect(await create("kube-system", unsigned)).toMatchObject({ allowed: true, warnings: [] });
  });

  it("is not enough where a namespace has both labels", async () => {
    expect(await create("both", signed)).toMatchObject(refusedBy("pods.enforce.atcr-verify", "policy.no_match"));
  });

  it("pins tags by itself", async () => {
    node.registry.pushImage("alice/app", "signed", "v1");
    const copy = cluster().mutating?.at(-1) ?? {};
    const only = { ...cluster(), mutating: [copy] };
    const [verdict] = await dispatcher.dispatch(only, { namespace: "payments", object: pod("x", [node.name]) });
    const image = `${node.name}${signed.slice(signed.indexOf("@"))}`;
    expect(verdict).toMatchObject({ allowed: true, object: { spec: { containers: [{ image }] } } });
    const [free] = await dispatcher.dispatch(only, { namespace: "shop", object: pod("x", [node.name]) });
    expect(free).toMatchObject({ object: { spec: { containers: [{ image: node.name }] } } });
  });
});
