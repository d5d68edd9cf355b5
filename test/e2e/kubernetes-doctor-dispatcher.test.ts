import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, TestNode } from "../support/binary.ts";
import type { Finding } from "../support/doctor.ts";
import type { Answer, Exchange } from "../support/http-server.ts";
import { missingPart } from "../support/kubernetes-api.ts";
import { type Dispatched, Dispatcher } from "../support/kubernetes-dispatcher.ts";
import { type KubernetesObject, pod, webhook } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";
import { configuration, denied, HEALTHY, list, PATHS, StandInApiServer } from "../support/stand-in-cluster.ts";

// `doctor --cluster` where admission is that of Kubernetes 1.36, with a real server: the API server that can be built is too old
// for ephemeral containers as they are since 1.22. Only what stores objects is a stand-in.

const testable = requirement(
  "the doctor's probe by the webhook dispatcher of Kubernetes 1.36",
  missingPart("dispatcher"),
);
let [node, serve, dispatcher] = [] as unknown as [TestNode, ServeDaemon, Dispatcher];
let api: StandInApiServer;
const STORED = pod("web-1", ["registry.example/web:v1"], {
  ephemeralContainers: [{ name: "earlier", image: "registry.example/tools:v1" }],
});

beforeAll(async () => {
  if (!testable) return;
  node = await TestNode.start();
  serve = await ServeDaemon.start(node);
  dispatcher = new Dispatcher();
  api = await StandInApiServer.start({ tls: node.authority.issue({ names: ["127.0.0.1"] }) });
}, 60_000);
afterAll(async () => {
  await api?.stop();
  await dispatcher?.stop();
  await serve?.stop();
  await node?.stop();
});

const base64 = (text: string) => Buffer.from(text).toString("base64");
const ALL = ["pods", "pods/ephemeralcontainers"];

/** The probe's findings where a webhook has this rule. */
async function probe(resources: readonly string[], path = "/admit", changes: object = {}): Promise<readonly Finding[]> {
  const rules = [{ apiGroups: [""], apiVersions: ["v1"], resources, operations: ["CREATE", "UPDATE"] }];
  const own = webhook("admit", { url: `${serve.origin}${path}`, ca: serve.ca, changes: { rules, ...changes } });
  const { apiVersion: _, kind: __, ...listed } = STORED;
  api.objects = { ...HEALTHY, [PATHS.validating]: list(configuration(own)), [PATHS.pods]: list(listed) };
  const undo = api.override("?dryRun=All", (exchange) => decide(exchange, own));
  const user = { name: "u", user: { token: "t" } };
  const cluster = { server: api.origin, "certificate-authority-data": base64(node.authority.cert) };
  const kubeconfig = {
    "current-context": "x",
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster }],
    users: [user],
  };
  const file = node.write("kubeconfig", JSON.stringify(kubeconfig), 0o600);
  try {
    const { stdout } = await ask(["doctor", "--cluster", "--output", "json", "--kubeconfig", file]);
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
    return findings.filter(({ name }) => name === "cluster-probe");
  } finally {
    undo();
  }
}

/** What the API server would answer, by the dispatcher's decision. */
async function decide({ request }: Exchange, own: object): Promise<Answer> {
  const object = JSON.parse(Buffer.from(request.body).toString()) as KubernetesObject;
  const isAdded = request.path === `${PATHS.pods}/web-1/ephemeralcontainers`;
  const asked: Dispatched = isAdded
    ? { operation: "UPDATE", subResource: "ephemeralcontainers", object, oldObject: STORED, dryRun: true }
    : { object, dryRun: true };
  const [verdict] = await dispatcher.dispatch({ validating: [own] }, asked);
  if (verdict?.allowed === true) return { status: isAdded ? 200 : 201, json: object };
  return denied(String(verdict?.message), verdict?.code);
}

describe.runIf(testable)("the doctor's probe in Kubernetes 1.36", () => {
  it("has a pod refused, and an ephemeral container in a pod that is there", async () => {
    const found = expect.stringContaining("refused by this program at /admit, as expected (admit.atcr-verify.example)");
    expect(await probe(ALL)).toMatchObject([
      { level: "ok", found },
      { level: "ok", found },
    ]);
    expect(api.requests.at(-1)).toMatchObject({ method: "PUT", path: `${PATHS.pods}/web-1/ephemeralcontainers` });
    const said = serve.log.filter((line) => JSON.stringify(line).includes("policy.probe"));
    expect(said).toHaveLength(2);
    expect(JSON.stringify(said)).not.toContain("registry.example");
  });

  it("finds that the server answers, but has no policy of the name in the path", async () => {
    const found = expect.stringMatching(/^this program answered .* its policy for \/admit\/payments cannot be used: /);
    const advice = expect.stringContaining("add payments to server.policies");
    expect(await probe(ALL, "/admit/payments")).toMatchObject([{ level: "problem", found, advice }]);
  });

  it("finds that failurePolicy Ignore hides why a webhook failed", async () => {
    const clientConfig = { url: "https://127.0.0.1:1/admit/audit" };
    expect(await probe(ALL, "/admit/audit", { failurePolicy: "Ignore", clientConfig })).toMatchObject([
      {
        level: "problem",
        found: expect.stringMatching(/was admitted: failurePolicy Ignore of .* hides why it failed/),
      },
    ]);
  });

  it("finds ephemeral containers admitted where the webhook's rules do not name them", async () => {
    expect(await probe(["pods"])).toMatchObject([
      { level: "ok" },
      { level: "problem", found: expect.stringMatching(/an ephemeral container in default .* was admitted$/) },
    ]);
  });
});
