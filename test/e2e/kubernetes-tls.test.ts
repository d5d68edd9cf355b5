import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import { missingPart } from "../support/kubernetes-api.ts";
import { Dispatcher, type Verdict } from "../support/kubernetes-dispatcher.ts";
import { pod, webhook } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";

const testable = requirement("TLS with the webhook dispatcher of Kubernetes 1.36", missingPart("dispatcher"));
let [node, dispatcher] = [] as unknown as [TestNode, Dispatcher];
/** One of all gates, and one of Gatekeeper's alone. */
let [serve, gatekeeper] = [] as unknown as [ServeDaemon, ServeDaemon];
let signed: string;

beforeAll(async () => {
  if (!testable) return;
  node = await TestNode.start();
  serve = await ServeDaemon.start(node);
  gatekeeper = await ServeDaemon.start(node, { gates: ["gatekeeper"] });
  dispatcher = new Dispatcher();
  signed = `${node.registry.authority}/alice/app@${(await node.image("signed")).digest}`;
}, 60_000);
afterAll(async () => {
  await dispatcher?.stop();
  await gatekeeper?.stop();
  await serve?.stop();
  await node?.stop();
});

async function dispatch({ origin, ca }: ServeDaemon, maxTls?: "1.2"): Promise<Verdict | undefined> {
  const validating = [webhook("admit", { url: `${origin}/admit`, ca })];
  const [verdict] = await dispatcher.dispatch(
    { validating, ...(maxTls !== undefined && { maxTls }) },
    { object: pod("x", [signed]) },
  );
  return verdict;
}

describe.runIf(testable)("the dispatcher of Kubernetes 1.36", () => {
  it("speaks TLS 1.3 to the server by itself", async () => {
    expect(await dispatch(serve)).toMatchObject({ allowed: true, tls: ["TLS 1.3"] });
  });

  it("is answered in TLS 1.2 if it offers no newer one", async () => {
    expect(await dispatch(serve, "1.2")).toMatchObject({ allowed: true, tls: ["TLS 1.2"] });
  });

  it("reaches a listener that is Gatekeeper's alone by TLS 1.3 only, which does not answer it even so", async () => {
    const refused = await dispatch(gatekeeper, "1.2");
    expect(refused).toMatchObject({ allowed: false, code: 500, message: expect.stringContaining("protocol version") });
    expect(refused?.tls).toBeUndefined();
    expect(await dispatch(gatekeeper)).toMatchObject({ allowed: false, code: 500, tls: ["TLS 1.3"] });
  });
});
