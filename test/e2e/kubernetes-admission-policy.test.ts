import { afterAll, describe, expect, it } from "vitest";
import { missingPart, realPart } from "../support/kubernetes-api.ts";
import { documentsOf } from "../support/kubernetes-manifests.ts";
import { LineProcess } from "../support/line-process.ts";
import { container, DIGEST, places, podOf, UNPINNED } from "../support/pods-with-images.ts";
import { requirement } from "../support/requirement.ts";

// The ValidatingAdmissionPolicy that is shipped, by Kubernetes' own library: its CEL, its types of pods, its bounds of cost.

const testable = requirement("the ValidatingAdmissionPolicy by Kubernetes' library", missingPart("admission-policy"));

interface Asked {
  readonly operation: "CREATE" | "UPDATE";
  readonly object: object;
  readonly oldObject?: object;
}
/** Empty where the policy admits. */
interface Refusal {
  readonly evaluation?: "deny" | "error";
  readonly message?: string;
  readonly reason?: string;
}

const created = (object: object): Asked => ({ operation: "CREATE", object });
const [policy] = documentsOf("overlays/require-digests/policy.yaml");

describe.runIf(testable)("the ValidatingAdmissionPolicy", () => {
  const library = testable ? new LineProcess(realPart("admission-policy")) : undefined;
  afterAll(() => library?.stop());
  const judge = async (...requests: readonly Asked[]): Promise<readonly Refusal[]> =>
    (await library?.ask({ policy, requests })) as readonly Refusal[];

  it("admits a pod whose images all have digests, in every place", async () => {
    const pods = [podOf({}), ...Object.values(places(`registry.example:5000/a/b${DIGEST}`)).map(podOf)];
    expect(await judge(...pods.map(created))).toEqual(pods.map(() => ({})));
  });

  it("refuses whatever is no digest, in every place", async () => {
    const pods = UNPINNED.flatMap((image) => Object.values(places(image)).map(podOf));
    // It trims messages, and replaces one with a line break by the fixed one.
    const refused = {
      evaluation: "deny",
      message: expect.stringMatching(/^(?:without a digest:|every image needs a digest)/),
      reason: "Forbidden",
    };
    expect(await judge(...pods.map(created))).toEqual(pods.map(() => refused));
  });

  it("refuses a pod without images or without a specification", async () => {
    const answers = await judge(...[podOf({ containers: [] }), { kind: "Pod" }].map(created));
    expect(answers).toMatchObject([
      { evaluation: "deny", message: "found no image in this pod" },
      { evaluation: "error" },
    ]);
  });

  it("lets a running pod keep its tags, and refuses a new one beside them", async () => {
    const running = podOf({ containers: [container("app:v1")] });
    const update = (object: object): Asked => ({ operation: "UPDATE", object, oldObject: running });
    const debugged = { ...running, spec: { ...running.spec, ephemeralContainers: [container("busybox")] } };
    const changed = podOf({ containers: [container("app:v2")] });
    expect(await judge(update(running), update(debugged), update(changed))).toMatchObject([
      {},
      { message: "without a digest: busybox" },
      { message: "without a digest: app:v2" },
    ]);
  });

  it("judges a thousand images within what the API server lets an expression cost", async () => {
    const containers = Array.from({ length: 1000 }, (_, i) => ({
      name: `c${i}`,
      image: `r.example/app-${i}${DIGEST}`,
    }));
    const tagged = [...containers.slice(1), container("app:v1")];
    expect(await judge(...[podOf({ containers }), podOf({ containers: tagged })].map(created))).toMatchObject([
      {},
      { message: "without a digest: app:v1" },
    ]);
  });
});
