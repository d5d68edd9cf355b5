import { describe, expect, it } from "vitest";
import { type ClusterProbe, probeCluster } from "../../../src/doctor/cluster-probe.ts";
import type { ApiRequest } from "../../../src/platform/kubernetes/api-client.ts";
import { webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import {
  BUILD,
  configuration,
  type Decide,
  denied,
  list,
  type Objects,
  PATHS,
  refuseProbe,
  standInCluster,
  webhook,
} from "../../support/stand-in-cluster.ts";

const ownAt = (path: string, changes: object = {}) =>
  webhooksOf(configuration(webhook({ ...changes }, path)), "validating");
const PROBE: ClusterProbe = { namespace: "default", own: ownAt("/admit"), build: BUILD };

async function lines(decide: Decide, changes: Objects = {}, probe = PROBE): Promise<readonly string[]> {
  const found = await probeCluster(probe, standInCluster(changes, decide));
  return found.map(({ level, found: text }) => `${level} ${text}`);
}

describe("the probe", () => {
  it("is good where both the pod and the ephemeral container are refused by this program", async () => {
    const found = await lines(refuseProbe);
    expect(found).toHaveLength(2);
    for (const line of found)
      expect(line).toMatch(/^ok .* refused by this program at \/admit, as expected \(admit\.atcr-verify\.example\)$/);
  });

  it("only asks for dry runs, of a digest under the reserved name, which satisfies the strictest standard of pods", async () => {
    const asked: ApiRequest[] = [];
    const ask = standInCluster();
    await probeCluster(PROBE, (request) => {
      asked.push(request);
      return ask(request);
    });
    expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `POST ${PATHS.pods}?dryRun=All`,
      `GET ${PATHS.pods}?limit=50`,
      `PUT ${PATHS.pods}/web-1/ephemeralcontainers?dryRun=All`,
    ]);
    expect(asked[0]?.body).toMatchObject({
      spec: {
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            image: expect.stringMatching(/^127\.0\.0\.1:1\/atcr-verify-probe\/[0-9a-f]{16}@sha256:[0-9a-f]{64}$/),
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          },
        ],
      },
    });
    // What was there is sent back as it was.
    expect(asked[2]?.body).toMatchObject({ kind: "Pod", spec: { containers: [{ name: "web", image: "nginx" }] } });
  });

  it.each<[string, Decide, RegExp]>([
    ["admitted", () => undefined, /^problem .* was admitted$/],
    [
      "refused by another",
      () => denied("pods are forbidden: exceeded quota"),
      /^problem .* refused, but not by this program: /,
    ],
    [
      "refused by this program's words about another image",
      () => denied(`deny policy.probe: atcr-verify ${BUILD} was asked about sha256:${"0".repeat(64)}`),
      /^problem .* not by this program/,
    ],
    [
      "not decided on, as the webhook fails",
      () => denied('Internal error occurred: failed calling webhook "admit.x": no endpoints', 500),
      /^problem .* the webhook admit\.x could not be called/,
    ],
    ["not allowed to this user", () => denied('User "a" cannot create resource "pods"'), /^warning .* was not tried/],
    ["in a namespace that is not there", () => denied('namespaces "x" not found', 404), /^warning .* was not tried/],
    ["of a user that is unknown", () => denied("Unauthorized", 401), /^warning .* was not tried/],
  ])("is not proven by a pod that is %s", async (_, decide, expected) => {
    const found = await lines(decide);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it("says where another build answered", async () => {
    expect((await lines(refuseProbe, {}, { ...PROBE, build: "9.9.9" }))[0]).toContain(
      `of another build than this one (${BUILD})`,
    );
  });

  it("claims no enforcement where it was refused at the path of another policy, which may only audit", async () => {
    const [found] = await lines(refuseProbe, {}, { ...PROBE, own: ownAt("/admit/audit") });
    expect(found).toMatch(/^ok .* at \/admit\/audit, as expected .*: this shows that it is asked, not that/);
  });

  it("says where the namespace is left out, and where failurePolicy hides why it failed", async () => {
    const ask = standInCluster({}, () => undefined);
    const [left] = await probeCluster({ ...PROBE, selecting: [] }, ask);
    expect(left).toMatchObject({ level: "problem", found: expect.stringContaining("no webhook of this program") });
    const [hidden] = await probeCluster({ ...PROBE, selecting: ownAt("/admit", { failurePolicy: "Ignore" }) }, ask);
    expect(hidden).toMatchObject({ level: "problem", advice: expect.stringContaining("--namespace") });
    expect(hidden?.found).toContain("failurePolicy Ignore of admit.atcr-verify.example, which selects default");
    const [strict] = await probeCluster({ ...PROBE, selecting: ownAt("/admit") }, ask);
    expect(strict?.found).toMatch(/was admitted$/);
  });

  const refusedWith = (text: string) =>
    denied(`admission webhook "admit.atcr-verify.example" denied the request: ${text}`);

  it.each([
    ["/admit/payments", "add payments to server.policies, or correct its file, as the server's log says"],
    ["/admit", "correct its file, as the server's log says"],
  ])("says that this program has no policy that can be used for %s", async (path, advice) => {
    const decide: Decide = ([image]) => refusedWith(`policy.invalid ${image}: there is none`);
    const [found] = await probeCluster({ ...PROBE, own: ownAt(path) }, standInCluster({}, decide));
    expect(found).toMatchObject({ level: "problem", advice, found: expect.stringContaining("this program answered") });
    expect(found?.found).toContain(`its policy for ${path} cannot be used`);
  });

  it("says that this program refused it for another reason, and not that another did", async () => {
    const [found] = await lines(() => refusedWith("server.overloaded 127.0.0.1:1/x: try again"));
    expect(found).toMatch(/^problem .* was refused by this program at \/admit, but not as a probe: /);
  });

  /** The pod is refused, and then this. */
  const ephemeral =
    (then: Decide): Decide =>
    (images) =>
      images.length === 1 ? refuseProbe(images) : then(images);

  it("finds that ephemeral containers are admitted", async () => {
    const [, second] = await lines(ephemeral(() => undefined));
    expect(second).toMatch(/^problem .* an ephemeral container in default .* was admitted/);
  });

  it("makes no claim about ephemeral containers where they are refused for another reason", async () => {
    const [, second] = await lines(ephemeral(() => denied("forbidden")));
    expect(second).toMatch(/^note an ephemeral container in default was not decided on: forbidden/);
  });

  it("takes no static pod, and none that ends, to try them with", async () => {
    const pod = (metadata: object) => ({ metadata: { name: "p", ...metadata }, spec: {} });
    const mirror = pod({ annotations: { "kubernetes.io/config.mirror": "x" } });
    const ending = pod({ deletionTimestamp: "2026-01-01T00:00:00Z" });
    const [, second] = await lines(refuseProbe, { [PATHS.pods]: list(mirror, ending) });
    expect(second).toMatch(/^note an ephemeral container in default was not tried/);
  });
});
