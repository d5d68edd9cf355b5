import { describe, expect, it } from "vitest";
import type { CelPolicy, KyvernoWorld } from "../../support/cel.ts";
import { refusalByCel } from "../../support/cel.ts";
import { documentsOf } from "../../support/kubernetes-manifests.ts";
import { container, DIGEST, GOOD, places, podOf as pod, UNPINNED } from "../../support/pods-with-images.ts";

// The expressions in CEL that are shipped, by an evaluator that is neither the API server's nor Kyverno's (both cel-go).

const created = (object: object) => ({ object, oldObject: null, request: { operation: "CREATE" } });
const updated = (object: object, oldObject: object) => ({ object, oldObject, request: { operation: "UPDATE" } });

const policyOf = (file: string): CelPolicy => {
  const [policy] = documentsOf<{ spec: CelPolicy }>(file);
  return policy?.spec ?? expect.fail(file);
};

describe("the ValidatingAdmissionPolicy", () => {
  const policy = policyOf("overlays/require-digests/policy.yaml");

  it("lets a pod pass whose images all have digests, in every place", () => {
    expect(refusalByCel(policy, created(pod({})))).toBeUndefined();
    for (const spec of Object.values(places(`registry.example:5000/a/b${DIGEST}`)))
      expect(refusalByCel(policy, created(pod(spec)))).toBeUndefined();
  });

  it.each(Object.keys(places()).flatMap((place) => UNPINNED.map((image) => [place, image] as const)))(
    "refuses in %s the image %j",
    (place, image) => {
      const refusal = refusalByCel(policy, created(pod(places(image)[place] ?? {})));
      expect(refusal).toMatch(/^without a digest: /);
    },
  );

  it("refuses a pod without images, and one without a specification", () => {
    expect(refusalByCel(policy, created(pod({ containers: [] })))).toBe("found no image in this pod");
    expect(refusalByCel(policy, created({ kind: "Pod", spec: {} }))).toBe("found no image in this pod");
    expect(refusalByCel(policy, created({ kind: "Pod" }))).toMatch(/^error: /);
  });

  it("lets a running pod keep its tags, and refuses a new one beside them", () => {
    const running = pod({ containers: [container("app:v1")] });
    expect(refusalByCel(policy, updated(running, running))).toBeUndefined();
    expect(refusalByCel(policy, created(running))).toBe("without a digest: app:v1");
    const changed = pod({ containers: [container("app:v2")] });
    expect(refusalByCel(policy, updated(changed, running))).toBe("without a digest: app:v2");
    const debugged = { ...running, spec: { ...running.spec, ephemeralContainers: [container("busybox")] } };
    expect(refusalByCel(policy, updated(debugged, running))).toBe("without a digest: busybox");
  });

  it("leaves out beginnings of names that its administrator lists, and no names that only begin alike", () => {
    const [exempt, ...rest] = policy.variables;
    expect(exempt).toEqual({ name: "exempt", expression: "[]" });
    const changed = { ...policy, variables: [{ name: "exempt", expression: '["registry.k8s.io/"]' }, ...rest] };
    const judged = (image: string) => refusalByCel(changed, created(pod({ containers: [container(image)] })));
    expect(judged("registry.k8s.io/pause:3.10")).toBeUndefined();
    expect(judged("registry.k8s.io.example.com/pause:3.10")).toMatch(/^without a digest/);
  });
});

describe("Kyverno's ValidatingPolicy", () => {
  const policy = policyOf("overlays/kyverno/registration/policy.yaml");
  const PAIRS = { url: "https://atcr-verify.atcr-verify.svc/v1/verify", authority: "PEM" };

  /** Judges with the server's answer; what was sent, too. */
  function judge(inputs: Readonly<Record<string, unknown>>, answer: unknown, by = policy) {
    const sent: object[] = [];
    const world: KyvernoWorld = {
      get: (version, resource, namespace, name) =>
        new Map<string, object>([
          ["v1 secrets kyverno atcr-verify-token", { data: { token: Buffer.from("s3cret").toString("base64") } }],
          ["v1 configmaps kyverno atcr-verify-ca", { data: { "ca.crt": "PEM" } }],
        ]).get([version, resource, namespace, name].join(" ")) ?? expect.fail(name),
      post: (url, data, headers, authority) => {
        sent.push({ url, data, headers, authority });
        if (answer instanceof Error) throw answer;
        return answer;
      },
    };
    return { refusal: refusalByCel(by, inputs, world), sent };
  }
  const ALLOWED = { statusCode: 200n, allowed: true, results: [{ image: GOOD, allowed: true, code: "signed" }] };

  it("asks once about all images, with the token and under the authority, and passes what is allowed", () => {
    const [init, debug, volume] = ["init", "debug", "volume"].map((name) => name + DIGEST);
    const volumes = [{ name: "v", image: { reference: volume } }];
    const whole = pod({ initContainers: [container(init)], ephemeralContainers: [container(debug)], volumes });
    const { refusal, sent } = judge(created(whole), ALLOWED);
    expect(refusal).toBeUndefined();
    expect(sent).toEqual([
      {
        ...PAIRS,
        data: { images: [GOOD, init, debug, volume] },
        headers: { Authorization: "Bearer s3cret", "Content-Type": "application/json" },
      },
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    [
      "a refusal",
      { statusCode: 200n, allowed: false, results: [{ image: "app", allowed: false, code: "signature.none" }] },
      /^atcr-verify: signature\.none app$/,
    ],
    ["status 503", { ...ALLOWED, statusCode: 503n }, /status 503$/],
    ["status 500", { ...ALLOWED, statusCode: 500n }, /status 500$/],
    ["status 201", { ...ALLOWED, statusCode: 201n }, /status 201$/],
    ["status 401 and a body that is no JSON", { statusCode: 401n, body: null }, /status 401$/],
    ["no status", { allowed: true }, /^no message/],
    ["a status that is text", { statusCode: "200", allowed: true }, /./],
    ["no `allowed`", { statusCode: 200n, results: [] }, /./],
    ["`allowed` that is text", { statusCode: 200n, allowed: "true", results: [] }, /./],
    ["`allowed` that is a number", { statusCode: 200n, allowed: 1n }, /./],
    ["`allowed` that is null", { statusCode: 200n, allowed: null }, /./],
    ["`allowed` in a result alone", { statusCode: 200n, results: [{ allowed: true }] }, /./],
    ["`verified` in place of `allowed`", { statusCode: 200n, verified: true }, /./],
    ["an empty object", {}, /./],
    ["a list", { statusCode: 200n, body: [{ allowed: true }] }, /./],
    ["no connection", new Error("connection refused"), /^error: /],
  ])("refuses at %s", (_, answer, message) => {
    expect(judge(created(pod({})), answer).refusal).toMatch(message);
  });

  it.each(Object.entries(places(`app:v1${DIGEST}`)))("asks about a new image in %s", (_, spec) => {
    const { sent } = judge(updated(pod(spec), pod({})), ALLOWED);
    expect(sent).toEqual([expect.objectContaining({ data: { images: [`app:v1${DIGEST}`] } })]);
  });

  it.each(Object.keys(places()).flatMap((place) => UNPINNED.map((image) => [place, image] as const)))(
    "refuses in %s the image %j, whatever the server would answer",
    (place, image) => {
      const { refusal, sent } = judge(created(pod(places(image)[place] ?? {})), ALLOWED);
      expect([refusal, sent]).toEqual([expect.stringMatching(/^without a digest: /), []]);
    },
  );

  it("asks about tags that its administrator exempts", () => {
    const variables = policy.variables.map((one) =>
      one.name === "exempt" ? { ...one, expression: '["registry.k8s.io/"]' } : one,
    );
    const judged = (image: string) =>
      judge(created(pod({ containers: [container(image)] })), ALLOWED, { ...policy, variables });
    expect(judged("registry.k8s.io/pause:3.10")).toMatchObject({ refusal: undefined, sent: [{}] });
    expect(judged("registry.k8s.io.example.com/pause:3.10").refusal).toMatch(/^without a digest/);
  });

  it("asks nothing where an update changes no image, and refuses a pod without images", () => {
    expect(judge(updated(pod({}), pod({})), new Error("not asked"))).toEqual({ refusal: undefined, sent: [] });
    const { refusal } = judge(created(pod({ containers: [] })), ALLOWED);
    expect(refusal).toBe("found no image in this pod");
    expect(judge(created({ kind: "Pod" }), ALLOWED).refusal).toMatch(/^error: /);
  });

  it("refuses where the Secret or the ConfigMap is missing", () => {
    const world: KyvernoWorld = {
      get: () => {
        throw new Error("not found");
      },
      post: () => ALLOWED,
    };
    expect(refusalByCel(policy, created(pod({})), world)).toMatch(/^error: .*not found/s);
  });
});
