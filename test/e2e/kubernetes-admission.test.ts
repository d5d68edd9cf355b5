import { createServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingKubernetesApi } from "../support/kubernetes-api.ts";
import { imagesIn, KubernetesBed } from "../support/kubernetes-bed.ts";
import { deployment, pod } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";

const testable = requirement("a Kubernetes API server that asks atcr-verify", ...missingKubernetesApi());
let bed: KubernetesBed;
let signed: string;
let unsigned: string;

beforeAll(async () => {
  if (!testable) return;
  bed = await KubernetesBed.start(() => ({ featureGates: "EphemeralContainers=true" }));
  for (const mode of ["enforce", "pin", "audit", "down", "off"] as const) await bed.namespace(mode);
  [signed, unsigned] = [await bed.image("signed"), await bed.image("unsigned", { signed: false })];
}, 120_000);
afterAll(() => bed?.stop());

const REFUSED = 'admission webhook "admit.atcr-verify.example" denied the request: ';

describe.runIf(testable)("a pod", () => {
  it("is created where its images are signed, and the audit log has the verdict", async () => {
    expect((await bed.create("enforce", pod("signed", [signed]))).status).toBe(201);
    const [event] = bed.api.audited("signed");
    expect(event?.annotations).toMatchObject({ "admit.atcr-verify.example/verdict": "allow" });
  });

  it("is refused with the reason where one is not", async () => {
    const hidden = { initContainers: [{ name: "init", image: unsigned }] };
    for (const object of [pod("unsigned", [signed, unsigned]), pod("init", [signed], hidden)]) {
      const { status, message } = await bed.create("enforce", object);
      expect(status).toBe(403);
      expect(message).toContain(`${REFUSED}signature.none`);
    }
    const [event] = bed.api.audited("unsigned");
    expect(event?.responseStatus?.code).toBe(403);
    expect(event?.annotations).toMatchObject({ "admit.atcr-verify.example/verdict": "deny" });
  });

  it("is refused for now where it cannot be told", async () => {
    const image = await bed.image("outage");
    const undo = bed.node.pds.override("/xrpc/", { status: 503 });
    try {
      const { status, message } = await bed.create("enforce", pod("outage", [image]));
      expect([status, message]).toEqual([503, expect.stringContaining("pds.")]);
    } finally {
      undo();
    }
    expect((await bed.create("enforce", pod("outage", [image]))).status).toBe(201);
  });

  it("is refused with a tag", async () => {
    const { status, message } = await bed.create("enforce", pod("tag", [bed.node.name]));
    expect([status, message]).toEqual([403, expect.stringContaining("image.not_pinned")]);
  });

  it("is judged in a dry run, which the decision log says", async () => {
    expect((await bed.create("enforce", pod("dry", [signed]), "?dryRun=All")).status).toBe(201);
    expect((await bed.create("enforce", pod("dry", [unsigned]), "?dryRun=All")).status).toBe(403);
    const lines = bed.serve.log.filter((line) => JSON.stringify(line).includes('"dryRun":true'));
    expect(lines.length).toBeGreaterThanOrEqual(2);
  });

  it("is refused where the webhook is down", async () => {
    const { status, message } = await bed.create("down", pod("signed", [signed]));
    expect([status, message]).toEqual([500, expect.stringContaining("failed calling webhook")]);
  });

  it("is created in a namespace that is only audited, with a warning", async () => {
    const { status, warnings } = await bed.create("audit", pod("audited", [unsigned]));
    expect(status).toBe(201);
    expect(warnings.join()).toContain("signature.none");
    const [event] = bed.api.audited("audited");
    const annotations = event?.annotations ?? {};
    const own = Object.entries(annotations).filter(([key]) => key.startsWith("admit-staging.atcr-verify.example/"));
    expect(JSON.stringify(own)).toContain("signature.none");
  });

  it("keeps nothing out of other namespaces", async () => {
    expect((await bed.create("off", pod("free", [unsigned]))).status).toBe(201);
  });
});

describe.runIf(testable)("a registry that the author of a pod names", () => {
  it("is asked at no address inside, whatever it would answer", async () => {
    const connections: string[] = [];
    const trap = createTcpServer((socket) => {
      connections.push(String(socket.remoteAddress));
      socket.destroy();
    });
    await new Promise<void>((done) => trap.listen(0, "127.0.0.2", done));
    const { port } = trap.address() as AddressInfo;
    const digest = unsigned.slice(unsigned.indexOf("@"));
    try {
      const hosts = [
        `127.0.0.2:${port}`,
        "169.254.169.254",
        "10.0.0.1",
        "[::ffff:127.0.0.2]:443",
        "metadata.google.internal",
      ];
      for (const [index, host] of hosts.entries()) {
        const { status, message } = await bed.create("enforce", pod(`inside-${index}`, [`${host}/a/b${digest}`]));
        expect(status, message).toBeGreaterThanOrEqual(403);
      }
      expect(connections).toEqual([]);
    } finally {
      trap.close();
    }
  });
});

describe.runIf(testable)("an image with a tag, where it is pinned", () => {
  it("gets the digest beside its tag, and so does what another webhook adds later", async () => {
    const tagged = bed.node.name;
    const { digest } = await bed.node.image("pinned");
    bed.node.registry.pushImage("alice/app", "pinned", "v1");
    const pinned = `${tagged}@${digest}`;
    const { body, ...reply } = await bed.create("pin", pod("pinned", [tagged, signed]));
    expect(reply.status, reply.message).toBe(201);
    expect(imagesIn({ body, ...reply })).toEqual([pinned, signed]);

    const sidecar = createServer(bed.node.authority.issue({ names: ["127.0.0.1"] }), (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { request: asked } = JSON.parse(Buffer.concat(chunks).toString()) as { request: { uid: string } };
        const patch = [{ op: "add", path: "/spec/containers/-", value: { name: "sidecar", image: tagged } }];
        const patched = { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
        const answer = { uid: asked.uid, allowed: true, ...patched };
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: answer }));
      });
    });
    await new Promise<void>((done) => sidecar.listen(0, "127.0.0.1", done));
    try {
      await bed.registerSidecar(`https://127.0.0.1:${(sidecar.address() as AddressInfo).port}/`);
      await expect
        .poll(async () => imagesIn(await bed.create("pin", pod("sidecar", [tagged]), "?dryRun=All")), {
          timeout: 10_000,
        })
        .toEqual([pinned, pinned]);
    } finally {
      await bed.api.call("DELETE", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/z-sidecar");
      sidecar.closeAllConnections();
      sidecar.close();
    }
  });

  it("is refused where its digest is not signed", async () => {
    bed.node.registry.pushImage("alice/app", "moved", "v1");
    const { status, message } = await bed.create("pin", pod("moved", [bed.node.name]));
    expect([status, message]).toEqual([403, expect.stringContaining("signature.none")]);
  });
});

describe.runIf(testable)("a Deployment", () => {
  it("is refused early, with the reason", async () => {
    expect((await bed.create("enforce", deployment("good", [signed]))).status).toBe(201);
    const { status, message } = await bed.create("enforce", deployment("bad", [unsigned]));
    expect([status, message]).toEqual([403, expect.stringContaining(`${REFUSED}signature.none`)]);
  });
});

describe.runIf(testable)("what ran before it was refused", () => {
  const PODS = "/api/v1/namespaces/before/pods";
  const DEPLOYMENTS = "/apis/apps/v1/namespaces/before/deployments";

  it("can be labelled, scaled, reported on and deleted; another image is judged", async () => {
    await bed.namespace("off", "before");
    expect((await bed.create("before", pod("old", [unsigned]))).status).toBe(201);
    expect((await bed.create("before", deployment("old", [unsigned]))).status).toBe(201);
    await bed.setMode("before", "enforce");
    await expect.poll(async () => (await bed.create("before", pod("new", [unsigned]), "?dryRun=All")).status).toBe(403);

    const labelled = { metadata: { labels: { more: "x" } } };
    expect((await bed.patch(`${PODS}/old`, labelled)).status).toBe(200);
    expect((await bed.patch(`${PODS}/old/status`, { status: { phase: "Running" } })).status).toBe(200);
    expect((await bed.patch(`${DEPLOYMENTS}/old`, { ...labelled, spec: { replicas: 2 } })).status).toBe(200);
    expect((await bed.patch(`${DEPLOYMENTS}/old/scale`, { spec: { replicas: 3 } })).status).toBe(200);

    const image = await bed.image("another", { signed: false });
    const changed = { spec: { containers: [{ name: "c0", image }] } };
    expect((await bed.patch(`${PODS}/old`, changed)).status).toBe(403);
    const template = { spec: { template: changed } };
    expect((await bed.patch(`${DEPLOYMENTS}/old`, template)).status).toBe(403);
    const repaired = { spec: { containers: [{ name: "c0", image: signed }] } };
    expect((await bed.patch(`${PODS}/old`, repaired)).status).toBe(200);

    expect((await bed.api.call("DELETE", `${PODS}/old?gracePeriodSeconds=0`)).status).toBe(200);
    expect((await bed.api.call("DELETE", `${DEPLOYMENTS}/old`)).status).toBe(200);
  });
});

describe.runIf(testable)("an ephemeral container", () => {
  it("is judged as its pod's are", async () => {
    expect((await bed.create("enforce", pod("debugged", [signed]))).status).toBe(201);
    const add = (name: string, image: string) =>
      bed.api.call("PUT", "/api/v1/namespaces/enforce/pods/debugged/ephemeralcontainers", {
        apiVersion: "v1",
        kind: "EphemeralContainers",
        metadata: { name: "debugged" },
        ephemeralContainers: [{ name, image, imagePullPolicy: "IfNotPresent", terminationMessagePolicy: "File" }],
      });
    expect((await add("bad", unsigned)).message).toContain(`${REFUSED}signature.none`);
    expect((await add("good", signed)).status).toBe(200);
  });
});

describe.runIf(testable)("certificates that are replaced", () => {
  it("cost no call of the API server", async () => {
    const before = await bed.serve.certificate();
    const statuses = new Map<number, number>();
    let isOver = false;
    const load = Array.from({ length: 4 }, async (_, worker) => {
      for (let i = 0; !isOver; i++) {
        const { status } = await bed.create("enforce", pod(`load-${worker}-${i}`, [signed]), "?dryRun=All");
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    });
    const seen = new Set([before]);
    try {
      for (let round = 0; round < 2; round++) {
        bed.serve.rotate();
        const known = seen.size;
        const end = performance.now() + 20_000;
        while (seen.size === known && performance.now() < end) {
          await new Promise((done) => setTimeout(done, 250));
          seen.add(await bed.serve.certificate());
        }
      }
    } finally {
      isOver = true;
      await Promise.all(load);
    }
    expect(seen.size).toBe(3);
    expect([...statuses.keys()]).toEqual([201]);
    expect(statuses.get(201)).toBeGreaterThan(100);
  }, 60_000);
});
