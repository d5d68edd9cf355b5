import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingKubernetesApi } from "../support/kubernetes-api.ts";
import { imagesIn, KubernetesBed } from "../support/kubernetes-bed.ts";
import { pod } from "../support/kubernetes-objects.ts";
import { requirement } from "../support/requirement.ts";

const testable = requirement("a Kubernetes API server with ImagePolicyWebhook", ...missingKubernetesApi());
let bed: KubernetesBed;

beforeAll(async () => {
  if (!testable) return;
  bed = await KubernetesBed.start(({ origin, ca }) => ({ imagePolicy: { url: `${origin}/imagereview`, ca } }));
  for (const mode of ["off", "pin"] as const) await bed.namespace(mode);
}, 120_000);
afterAll(() => bed?.stop());

describe.runIf(testable)("an API server with ImagePolicyWebhook", () => {
  it("creates a signed pod, and refuses others with the reason, where no webhook is registered", async () => {
    const [signed, unsigned] = [await bed.image("signed"), await bed.image("unsigned", { signed: false })];
    expect((await bed.create("off", pod("signed", [signed]))).status).toBe(201);
    const { status, message } = await bed.create("off", pod("unsigned", [signed, unsigned]));
    expect(status).toBe(403);
    expect(message).toContain("image policy webhook backend denied one or more images: ");
    expect(message).toContain("signature.none");
    const keys = bed.api.audited("unsigned").flatMap(({ annotations = {} }) => Object.keys(annotations));
    expect(keys.filter((key) => key.startsWith("imagepolicywebhook.image-policy.k8s.io/"))).not.toEqual([]);
  });

  it("refuses a tag, and sees the digest of one that is pinned before", async () => {
    await bed.node.image("tagged");
    bed.node.registry.pushImage("alice/app", "tagged", "v1");
    const { name } = bed.node;
    const { status, message } = await bed.create("off", pod("tagged", [name]));
    expect([status, message]).toEqual([403, expect.stringContaining("image.not_pinned")]);
    const reply = await bed.create("pin", pod("pinned", [name]));
    expect([reply.status, imagesIn(reply)]).toEqual([201, [expect.stringContaining(`${name}@sha256:`)]]);
  });

  it("refuses where the server is gone", async () => {
    const image = await bed.image("nobody answers");
    await bed.serve.stop();
    const { status } = await bed.create("off", pod("late", [image]));
    expect(status).toBe(403);
  });
});
