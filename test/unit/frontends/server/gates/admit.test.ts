import { describe, expect, it } from "vitest";
import type { Digest } from "../../../../../src/core/oci/digest.ts";
import { type ImageReference, parseReference } from "../../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../../src/core/policy/parse-policy.ts";
import { type Answer, refusalOf } from "../../../../../src/core/verify/answer.ts";
import { admit } from "../../../../../src/frontends/server/gates/admit.ts";
import type { Judge } from "../../../../../src/frontends/server/judge-review.ts";
import { Deadline } from "../../../../../src/io/process/deadline.ts";

const DIGEST = `sha256:${"1".repeat(64)}` as Digest;
const SIGNED: Answer = { outcome: "allow", because: { kind: "signed", rule: "signed", signatures: [], notes: [] } };
const POLICY = `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies: [{ name: signed, scope: "r.example/**", action: enforce }]
default: deny
`;

/** Asks about an object with one image, of which the registry knows a digest and the evidence this answer. */
async function ask(kind: "Pod" | "Deployment", image: string, answer: Answer = SIGNED) {
  const resolved: ImageReference[] = [];
  const verifier = {
    decideByName: () => undefined,
    resolve: async (name: ImageReference) => {
      resolved.push(name);
      return { digest: DIGEST, mediaType: "", size: 7, by: "r.example", at: 0 };
    },
    verify: async (subject: object) => ({ answer, subject, cache: "none", timings: { total: 0, services: new Map() } }),
  };
  const judge = {
    judgingFor: () => ({ verifier, policy: parsePolicy(POLICY, "policy.yaml") }),
    inPlace: async (_: object, work: () => Promise<unknown>) => work(),
    answered: () => {},
    warn: () => {},
    failed: (error: unknown) => expect.fail(String(error)),
  } as unknown as Judge;
  const spec = { containers: [{ name: "c", image }] };
  const isPod = kind === "Pod";
  const request = {
    uid: "u",
    kind: { group: isPod ? "" : "apps", version: "v1", kind },
    resource: { group: isPod ? "" : "apps", version: "v1", resource: isPod ? "pods" : "deployments" },
    operation: "CREATE",
    namespace: "shop",
    userInfo: { username: "alice" },
    object: isPod ? { apiVersion: "v1", kind, spec } : { apiVersion: "apps/v1", kind, spec: { template: { spec } } },
  };
  const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
  const body = new TextEncoder().encode(JSON.stringify(review));
  const deadline = new Deadline(performance.now() + 5000);
  const query = new URLSearchParams();
  const { json } = await admit({ body, deadline, unpinned: "refuse", query }, judge);
  const { response } = json as { response: { allowed: boolean; status?: { code: number; message: string } } };
  return { ...response, resolved };
}

describe("/admit", () => {
  it("refuses a pod's tag, which nothing has pinned, and asks nobody what it names", async () => {
    const { allowed, status, resolved } = await ask("Pod", "r.example/app:v1");
    expect([allowed, status?.code, resolved]).toEqual([false, 403, []]);
    expect(status?.message).toMatch(/^image\.not_pinned r\.example\/app:v1: /);
  });

  it("judges what a workload's tag names now, as its pods will be pinned", async () => {
    const { allowed, resolved } = await ask("Deployment", "r.example/app:v1");
    expect([allowed, resolved]).toEqual([true, [parseReference("r.example/app:v1")]]);
  });

  it("refuses a workload whose pods would be refused", async () => {
    const refused = await ask("Deployment", "r.example/app:v1", refusalOf("signature.none", "nobody signed it"));
    expect(refused).toMatchObject({
      allowed: false,
      status: { code: 403, message: "signature.none r.example/app:v1: nobody signed it" },
    });
  });
});
