import { afterAll, describe, expect, it } from "vitest";
import { missingPart, realPart } from "../support/kubernetes-api.ts";
import { documentsOf } from "../support/kubernetes-manifests.ts";
import { LineProcess } from "../support/line-process.ts";
import { container, DIGEST, GOOD, places, podOf, UNPINNED } from "../support/pods-with-images.ts";
import { requirement } from "../support/requirement.ts";

// The policy for Kyverno by cel-go, with Kyverno's options: that its expressions have the right types, and decide as they do in
// test/unit/integrations/kubernetes-cel.test.ts. Kyverno itself was not run.

const testable = requirement("the policy for Kyverno by cel-go", missingPart("kyverno-policy"));

interface Case {
  readonly operation?: string;
  readonly object: object;
  readonly oldObject?: object;
  /** Absent: no connection. */
  readonly answer?: object;
  readonly resource?: object;
}
interface Judged {
  readonly refusal?: string;
  readonly sent?: readonly object[];
}

const [policy] = documentsOf<{ spec: object }>("overlays/kyverno/registration/policy.yaml");
const RESOURCE = { data: { token: Buffer.from("s3cret").toString("base64"), "ca.crt": "PEM" } };
const ALLOWED = { statusCode: 200, allowed: true, results: [] };

describe.runIf(testable)("Kyverno's ValidatingPolicy", () => {
  const program = testable ? new LineProcess(realPart("kyverno-policy")) : undefined;
  afterAll(() => program?.stop());
  async function judge(...cases: readonly Case[]): Promise<readonly Judged[]> {
    const asked = cases.map((one) => ({ operation: "CREATE", oldObject: {}, resource: RESOURCE, ...one }));
    return (await program?.ask({ ...policy?.spec, cases: asked })) as readonly Judged[];
  }

  it("passes what the server allows, and asks about every image", async () => {
    const image = `app:v1${DIGEST}`;
    const cases = Object.values(places(image)).map((spec) => ({ object: podOf(spec), answer: ALLOWED }));
    expect(await judge(...cases)).toEqual(cases.map(() => ({ sent: [{ images: [GOOD, image] }] })));
  });

  it("refuses what has no digest, whatever the server would answer", async () => {
    const pods = UNPINNED.flatMap((image) => Object.values(places(image)).map(podOf));
    const judged = await judge(...pods.map((object) => ({ object, answer: ALLOWED })));
    expect(judged.map(({ refusal }) => refusal)).toEqual(pods.map(() => expect.stringMatching(/^without a digest:/)));
  });

  it("refuses every other answer", async () => {
    const refused = { image: "app", allowed: false, code: "signature.none" };
    const answers: readonly (readonly [object | undefined, RegExp])[] = [
      [{ ...ALLOWED, allowed: false, results: [refused] }, /^atcr-verify: signature\.none app$/],
      [{ ...ALLOWED, statusCode: 503 }, /status 503$/],
      [{ ...ALLOWED, statusCode: 201 }, /status 201$/],
      [{ statusCode: 401, body: null }, /status 401$/],
      [{ statusCode: 200, results: [] }, /./],
      [{ statusCode: "200", allowed: true }, /./],
      [{ ...ALLOWED, allowed: "true" }, /./],
      [{ ...ALLOWED, allowed: 1 }, /./],
      [{ ...ALLOWED, allowed: null }, /./],
      [{ allowed: true }, /./],
      [{}, /./],
      [undefined, /^error: request failed/],
    ];
    const judged = await judge(...answers.map(([answer]) => ({ object: podOf({}), ...(answer && { answer }) })));
    expect(judged.map(({ refusal }) => refusal)).toEqual(answers.map(([, text]) => expect.stringMatching(text)));
  });

  it("refuses pods without images, and where Secret or ConfigMap are missing", async () => {
    const judged = await judge(
      { object: podOf({ containers: [] }), answer: ALLOWED },
      { object: { kind: "Pod" }, answer: ALLOWED },
      { object: podOf({}), answer: ALLOWED, resource: {} },
    );
    expect(judged.map(({ refusal }) => refusal)).toEqual([
      "found no image in this pod",
      expect.stringMatching(/^error: /),
      expect.stringMatching(/^error: /),
    ]);
  });

  it("needs no answer where an update changes no image", async () => {
    const running = podOf({ containers: [container("app:v1")] });
    const [unchanged, changed] = await judge(
      { operation: "UPDATE", object: running, oldObject: running },
      { operation: "UPDATE", object: podOf({}), oldObject: running },
    );
    expect([unchanged?.refusal, changed?.refusal]).toEqual([undefined, expect.stringMatching(/^error: /)]);
  });
});
