import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/binary.ts";
import type { Finding } from "../support/doctor.ts";
import { missingKubernetesApi } from "../support/kubernetes-api.ts";
import { KubernetesBed, type Mode } from "../support/kubernetes-bed.ts";
import { deployment, type KubernetesObject, pod } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";

// `doctor --cluster` of a real API server that asks a real server.

const testable = requirement("a Kubernetes API server that the doctor asks", ...missingKubernetesApi());
let bed: KubernetesBed;

beforeAll(async () => {
  if (!testable) return;
  // Without it 1.20 has no ephemeral containers at all.
  bed = await KubernetesBed.start(() => ({ featureGates: "EphemeralContainers=true" }));
  for (const mode of ["enforce", "pin", "audit", "down", "off"] as const) await bed.namespace(mode);
}, 120_000);
afterAll(() => bed?.stop());

async function doctor(namespace: Mode) {
  const args = ["doctor", "--cluster", "--output", "json", "--kubeconfig", bed.api.kubeconfig(namespace)];
  const { code, stdout } = await ask(args, { killAfter: 60_000 });
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  return { code, findings, of: (name: string) => findings.filter((finding) => finding.name === name) };
}

describe.runIf(testable)("the doctor of a cluster", () => {
  it("finds the webhooks, and that a pod is refused where one enforces", async () => {
    const { of } = await doctor("enforce");
    // Clusters need 1.30, which is not at hand.
    const found = expect.stringMatching(/Kubernetes v1\.20.*older than 1\.30/);
    expect(of("cluster-api")).toMatchObject([{ level: "warning", found }]);
    expect(of("cluster-webhook").map(({ level }) => level)).toContain("ok");
    expect(of("cluster-authority").map(({ level }) => level)).toEqual(["ok", "warning"]);
    expect(of("cluster-probe")[0]).toMatchObject({
      level: "ok",
      found: expect.stringContaining("refused by this program at /admit, as expected (admit.atcr-verify.example)"),
    });
    // Its list is of an older kind there.
    expect(of("cluster-safety-net")).toMatchObject([{ level: "note" }]);
  });

  it("is refused where the policy only audits as well, and says that this enforces nothing", async () => {
    const { of } = await doctor("audit");
    expect(of("cluster-probe")[0]).toMatchObject({
      level: "ok",
      found: expect.stringMatching(
        /at \/admit\/staging, .*\(admit-staging\.atcr-verify\.example\): .* not that the namespace is enforced/,
      ),
    });
  });

  it("finds that a pod would be admitted where no webhook is called, and that nothing was stored", async () => {
    const { code, of } = await doctor("off");
    expect(code).toBe(1);
    expect(of("cluster-probe")).toMatchObject([
      { level: "problem", found: expect.stringContaining("was admitted: no webhook of this program selects off") },
    ]);
    expect(of("cluster-namespaces")[0]).toMatchObject({ level: "warning", found: expect.stringContaining("off") });
    const { body } = await bed.api.call("GET", "/api/v1/namespaces/off/pods");
    expect(body["items"]).toEqual([]);
  });

  it("finds that a webhook cannot be called", async () => {
    const { code, of } = await doctor("down");
    expect(code).toBe(1);
    expect(of("cluster-probe")).toMatchObject([
      {
        level: "problem",
        found: expect.stringContaining("the webhook admit-down.atcr-verify.example could not be called"),
      },
    ]);
  });

  it("makes no claim about ephemeral containers where the API server takes them in another form", async () => {
    const image = await bed.image("signed");
    expect((await bed.create("enforce", pod("runs", [image]))).status).toBe(201);
    const [, second] = (await doctor("enforce")).of("cluster-probe");
    // Kubernetes 1.20. What later ones say: kubernetes-doctor-dispatcher.test.ts.
    const said = 'was not decided on: Pod in version "v1" cannot be handled as a EphemeralContainers';
    expect(second).toMatchObject({ level: "note", found: expect.stringContaining(said) });
  });
});

interface Outlook {
  readonly outcome: string;
  readonly code?: string;
}
interface Explained {
  readonly images: readonly { readonly admission: Outlook & { readonly withoutMutate?: Outlook } }[];
}

/** What is said of a manifest beforehand, and what the API server says of it then. */
async function said(object: KubernetesObject, mode: Mode) {
  const file = bed.node.write(`manifest-${mode}.json`, JSON.stringify(object));
  const explained = await ask(["policy", "explain", "--pod", file, "--output", "json"], { env: bed.node.env });
  const [image] = (JSON.parse(explained.stdout) as Explained).images;
  const { admission } = image ?? {};
  // Of these namespaces only that of this mode has its pods pinned.
  const { outcome, code } = (mode === "pin" ? undefined : admission?.withoutMutate) ?? admission ?? {};
  const verified = await bed.node.verify(["-f", file, "--output", "json"]);
  const { status, message } = await bed.create(mode, object, "?dryRun=All");
  return { explained: code ?? outcome, verified: verified.code, status, message };
}

describe.runIf(testable)("policy explain --pod and verify -f", () => {
  it("say of a pod with a digest what admission says", async () => {
    const [signed, unsigned] = [await bed.image("one"), await bed.image("other", { signed: false })];
    expect(await said(pod("a", [signed]), "enforce")).toMatchObject({ explained: "judged", verified: 0, status: 201 });
    expect(await said(pod("b", [unsigned]), "enforce")).toMatchObject({
      explained: "judged",
      verified: 1,
      status: 403,
      message: expect.stringContaining("signature.none"),
    });
  });

  it("say of a tag what admission says: it is pinned where something pins it, else refused", async () => {
    await bed.image("tagged");
    bed.node.registry.pushImage("alice/app", "tagged", "v1");
    const tagged = pod("c", [bed.node.name]);
    expect(await said(tagged, "pin")).toMatchObject({ explained: "judged", verified: 0, status: 201 });
    expect(await said(tagged, "enforce")).toMatchObject({
      explained: "image.not_pinned",
      status: 403,
      message: expect.stringContaining("image.not_pinned"),
    });
    expect(await said(deployment("d", [bed.node.name]), "enforce")).toMatchObject({
      explained: "judged",
      verified: 0,
      status: 201,
    });
  });
});
