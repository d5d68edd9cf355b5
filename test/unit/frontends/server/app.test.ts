import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { GATES, type GateName } from "../../../../src/core/config/server-settings.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { type Rejection, reject } from "../../../../src/core/rejection.ts";
import { refusalOf } from "../../../../src/core/verify/answer.ts";
import { appOf, type Server } from "../../../../src/frontends/server/app.ts";
import { BodyReader } from "../../../../src/frontends/server/request-body.ts";
import type { Review } from "../../../../src/frontends/server/review.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;
const SIGNED = `r.example/app@${DIGEST}`;
const POLICY = `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies: [{ name: all, scope: "r.example/**", action: enforce }]
default: deny
`;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface World {
  readonly gates?: readonly GateName[];
  readonly tokens?: ReadonlyMap<string, string>;
  readonly isReady?: boolean;
  readonly code?: "signature.none" | "registry.unreachable" | "internal.error";
  readonly policy?: string;
  readonly tags?: "refuse" | "resolve-unpinned";
  /** Milliseconds. */
  readonly deadline?: number;
  readonly hosts?: readonly string[];
}

/** A server whose verifier says this of every image. */
async function started({
  gates = GATES,
  tokens,
  isReady = true,
  code,
  tags = "refuse",
  deadline = 5000,
  policy: text = POLICY,
  hosts,
}: World = {}) {
  const policy = parsePolicy(text, "policy.yaml");
  const reviews: Review[] = [];
  const counted: string[] = [];
  const failures: unknown[] = [];
  const unread: string[] = [];
  const unjudged: unknown[][] = [];
  const answer =
    code === undefined ? { outcome: "allow", because: { kind: "exempt", because: "" } } : refusalOf(code, "why");
  const verifier = {
    verify: async () => ({ answer }),
    decideByName: () => undefined,
    resolve: async () => ({ digest: DIGEST, mediaType: "" }),
  };
  const server = {
    judge: {
      judgingFor: (review: Review) => {
        reviews.push(review);
        if (review.policy === "missing") reject("policy.invalid", "no such policy");
        if (review.policy === "bug") throw new Error("boom");
        return { verifier, policy };
      },
      inPlace: async (_: Review, work: () => Promise<unknown>) => work(),
      answered: () => {},
      unjudged: ({ object, namespace, user }: Review, { code }: Rejection, isAllowed: boolean) =>
        unjudged.push([object, namespace, user, code, isAllowed]),
      warn: () => {},
      failed: (error: unknown) => failures.push(error),
    },
    bodies: { admission: new BodyReader(), others: new BodyReader() },
    deadline: () => deadline,
    tags: () => tags,
    callerOf: (header: string | undefined) => tokens?.get(header ?? ""),
    demandsToken: () => tokens !== undefined,
    isReady: () => isReady,
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }),
    answered: (gate: GateName, status: number) => counted.push(`${gate} ${status}`),
    refused: (gate: string, status: number) => counted.push(`${gate} ${status}`),
    unread: (_: number, what: string) => unread.push(what),
    failed: (error: unknown) => failures.push(error),
  } as unknown as Server;
  const web = createServer(appOf(gates, server, hosts));
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  closing.push(() => web.close());
  const { port } = web.address() as AddressInfo;
  const ask = async (path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const init =
      body === undefined ? {} : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      ...init,
      headers: { "content-type": "application/json", ...headers },
    });
    const text = await response.text();
    return {
      status: response.status,
      text,
      json: text.startsWith("{") ? JSON.parse(text) : {},
      headers: response.headers,
    };
  };
  return { ask, port, reviews, counted, failures, unread, unjudged };
}

function podReview(image: string, more: object = {}) {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { containers: [{ name: "c", image }] },
  };
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u1",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      operation: "CREATE",
      namespace: "shop",
      userInfo: { username: "alice" },
      object,
      ...more,
    },
  };
}
const KEYS = (...keys: string[]) => ({
  apiVersion: "externaldata.gatekeeper.sh/v1beta1",
  kind: "ProviderRequest",
  request: { keys },
});
const IMAGE_REVIEW = {
  apiVersion: "imagepolicy.k8s.io/v1alpha1",
  kind: "ImageReview",
  spec: { containers: [{ image: SIGNED }], namespace: "shop" },
};

describe("/admit", () => {
  it("answers by the policy that the path names, and knows namespace, user and dry run", async () => {
    const { ask, reviews } = await started();
    for (const path of ["/admit", "/admit/staging?timeout=10s"]) {
      const { status, json } = await ask(path, podReview(SIGNED, { dryRun: true }));
      expect([status, json.response.uid, json.response.allowed]).toEqual([200, "u1", true]);
    }
    const seen = {
      gate: "admit",
      namespace: "shop",
      object: "Pod p",
      user: "alice",
      isDryRun: true,
      unpinned: "refuse",
      images: [SIGNED],
    };
    expect(reviews).toMatchObject([seen, { ...seen, policy: "staging" }]);
    expect(reviews[0]?.policy).toBeUndefined();
  });

  it.each([
    ["signature.none", 403],
    ["registry.unreachable", 503],
    ["internal.error", 500],
  ] as const)("says %s within an answer of status 200", async (code, within) => {
    const { ask, counted } = await started({ code });
    const { status, json } = await ask("/admit", podReview(SIGNED));
    expect([status, json.response.allowed, json.response.status.code]).toEqual([200, false, within]);
    expect(counted).toEqual(["admit 200"]);
  });

  it("refuses within the answer where there is no such policy, and what has no digest", async () => {
    const { ask } = await started();
    expect((await ask("/admit/missing", podReview(SIGNED))).json.response.status.code).toBe(500);
    expect((await ask("/admit", podReview("r.example/app:v1"))).json.response.status.message).toContain(
      "image.not_pinned",
    );
    const { ask: askOther } = await started({ tags: "resolve-unpinned" });
    expect((await askOther("/admit", podReview("r.example/app:v1"))).json.response.allowed).toBe(true);
  });

  it("resolves the tags of a workload, whose pods are judged by their digests", async () => {
    const template = { spec: { containers: [{ name: "c", image: "r.example/app:v1" }] } };
    const object = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec: { template } };
    const kind = { group: "apps", version: "v1", kind: "Deployment" };
    const deployment = podReview("", { kind, resource: { ...kind, resource: "deployments" }, object });
    expect((await (await started()).ask("/admit", deployment)).json.response.allowed).toBe(true);
    const refused = await (await started({ code: "signature.none" })).ask("/admit", deployment);
    expect(refused.json.response.status.message).toContain("signature.none");
  });

  it("takes no review for an allow that it cannot read", async () => {
    const { ask, unjudged } = await started();
    for (const body of ["", "{", "[]", "{}", { ...podReview(SIGNED), apiVersion: "admission.k8s.io/v1beta1" }])
      expect(await ask("/admit", body)).toMatchObject({ status: 400, json: { error: { code: "input.malformed" } } });
    const odd = await ask(
      "/admit",
      podReview(SIGNED, { object: { apiVersion: "v1", kind: "Pod", spec: { containers: {} } } }),
    );
    expect([odd.status, odd.json.response.allowed]).toEqual([200, false]);
    expect(unjudged).toEqual([["Pod without a name", "shop", "alice", "input.malformed", false]]);
    const { ask: audited, unjudged: auditedObjects } = await started({
      policy: "version: 1.0\ntrustedDIDs: {}\ndefault: audit\n",
    });
    const passed = await audited(
      "/admit",
      podReview(SIGNED, { object: { apiVersion: "v1", kind: "Pod", spec: { containers: {} } } }),
    );
    expect(passed.json.response).toMatchObject({
      allowed: true,
      warnings: [expect.stringMatching(/^atcr-verify would refuse this: input\.malformed: .*spec\.containers/)],
    });
    expect(auditedObjects).toEqual([["Pod without a name", "shop", "alice", "input.malformed", true]]);
  });
});

describe("/mutate", () => {
  it("pins a tag and allows, also where the image would be refused", async () => {
    const { ask } = await started({ code: "signature.none" });
    const { json } = await ask("/mutate/staging", podReview("r.example/app:v1"));
    expect(json.response.allowed).toBe(true);
    expect(JSON.parse(Buffer.from(json.response.patch, "base64").toString())).toEqual([
      { op: "replace", path: "/spec/containers/0/image", value: `r.example/app:v1@${DIGEST}` },
    ]);
  });
});

describe("/gatekeeper", () => {
  it("answers each key, and puts what could not be told into systemError", async () => {
    const { ask } = await started({ code: "signature.none" });
    const { status, json } = await ask("/gatekeeper/verify", KEYS(SIGNED, "r.example/app:v1"));
    expect(status).toBe(200);
    expect(json.response.items).toMatchObject([
      { key: SIGNED, value: { allowed: false, code: "signature.none" } },
      { key: "r.example/app:v1", value: { allowed: false, code: "image.not_pinned" } },
    ]);
    const { ask: askOther } = await started({ code: "registry.unreachable" });
    const { json: unknown } = await askOther("/gatekeeper/verify", KEYS(SIGNED));
    expect(unknown.response).toMatchObject({ items: [], systemError: expect.stringContaining("registry.unreachable") });
  });

  it("pins, and says in Gatekeeper's form what it cannot read", async () => {
    const { ask } = await started();
    const { json } = await ask("/gatekeeper/mutate", KEYS("r.example/app:v1"));
    expect(json.response).toMatchObject({ idempotent: true, items: [{ value: `r.example/app:v1@${DIGEST}` }] });
    const { json: malformed } = await ask("/gatekeeper/verify", { kind: "Other" });
    expect(malformed.response).toMatchObject({ items: [], systemError: expect.stringContaining("input.malformed") });
  });
});

describe("/v1/verify", () => {
  it("has the status of HTTP that says whether there is a verdict", async () => {
    const cases = [
      [undefined, 200, true],
      ["signature.none", 200, false],
      ["registry.unreachable", 503, false],
      ["internal.error", 500, false],
    ] as const;
    for (const [code, expected, allowed] of cases) {
      const { ask } = await started(code === undefined ? {} : { code });
      expect(await ask(`/v1/verify?image=${encodeURIComponent(SIGNED)}`)).toMatchObject({
        status: expected,
        json: { allowed },
      });
      expect(await ask("/v1/verify", { images: [SIGNED] })).toMatchObject({ status: expected, json: { allowed } });
    }
  });

  it("resolves a tag, and says the digest", async () => {
    const { ask } = await started();
    expect((await ask("/v1/verify?image=r.example/app:v1")).json).toMatchObject({ allowed: true, digest: DIGEST });
  });

  it("demands one image of a GET", async () => {
    const { ask } = await started();
    for (const query of ["", "?image=a&image=b"]) expect((await ask(`/v1/verify${query}`)).status).toBe(400);
  });

  it("demands a token before anything else, and knows its name", async () => {
    const { ask, reviews } = await started({ tokens: new Map([["Bearer secret", "ci"]]) });
    for (const headers of [{}, { authorization: "Bearer other" }] as Record<string, string>[]) {
      const refused = await ask("/v1/verify", "{", headers);
      expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    }
    expect(reviews).toEqual([]);
    await ask("/v1/verify", { images: [SIGNED] }, { authorization: "Bearer secret" });
    expect(reviews).toMatchObject([{ gate: "verify", user: "ci" }]);
    expect((await ask("/admit", podReview(SIGNED))).status).toBe(200);
  });
});

describe("/imagereview", () => {
  it("is answered with status 200, whatever the verdict", async () => {
    for (const code of ["signature.none", "registry.unreachable"] as const) {
      const { ask, reviews } = await started({ code });
      const { status, json } = await ask("/imagereview?timeout=30s", IMAGE_REVIEW);
      expect([status, json.status.allowed]).toEqual([200, false]);
      expect(reviews).toMatchObject([{ gate: "imagereview", namespace: "shop", unpinned: "refuse" }]);
    }
  });
});

describe("the body of a request", () => {
  const MIB = 1024 * 1024;
  it.each([
    ["/admit", 8 * MIB],
    ["/mutate/staging", 8 * MIB],
    ["/gatekeeper/verify", MIB],
    ["/gatekeeper/mutate", MIB],
    ["/v1/verify", MIB],
    ["/imagereview", MIB],
  ])("of %s has at most %d bytes", async (path, most) => {
    const { ask } = await started();
    expect((await ask(path, " ".repeat(most + 1))).status).toBe(413);
    expect((await ask(path, " ".repeat(most))).status).not.toBe(413);
  });

  it("must arrive before the request's deadline", async () => {
    const { port } = await started({ deadline: 50 });
    const began = performance.now();
    const headers = { "content-type": "application/json", "content-length": 10 };
    const asked = request({ host: "127.0.0.1", port, path: "/admit", method: "POST", headers });
    const status = new Promise((resolve, fail) => {
      asked.on("response", (answer) => resolve(answer.resume().statusCode));
      asked.on("error", fail);
    });
    asked.write("{");
    expect(await status).toBe(408);
    expect(performance.now() - began).toBeLessThan(2000);
    asked.destroy();
  });
});

describe("a request that is not judged", () => {
  it("is reported with its status, its path and what is wrong, and no other is", async () => {
    const { ask, unread } = await started({ tokens: new Map() });
    await ask("/admit", podReview(SIGNED));
    await ask("/admit", podReview("UPPER/case"));
    await ask("/healthz");
    expect(unread).toEqual([]);
    await ask(`/validate/${"x".repeat(1000)}?timeout=1s`, {});
    await ask("/mutate/a");
    await ask("/admit", { ...podReview(SIGNED), apiVersion: "admission.k8s.io/v1beta1" });
    await ask("/admit", "{}", { "content-type": "text/plain" });
    await ask("/gatekeeper/verify", { kind: "Other" });
    await ask("/v1/verify?image=a");
    expect(unread).toEqual([
      expect.stringMatching(
        /^404 POST \/validate\/x+\.\.\.: nothing is answered here; this address has \/admit, \/mutate, /,
      ),
      "405 GET /mutate/a: expected the method POST",
      expect.stringMatching(/^400 POST \/admit: .*"admission\.k8s\.io\/v1beta1"/),
      "415 POST /admit: expected a body of the type application/json",
      expect.stringMatching(/^400 POST \/gatekeeper\/verify: the request has /),
      expect.stringMatching(/^401 GET \/v1\/verify: expected Authorization/),
    ]);
    for (const line of unread) expect(line.length).toBeLessThanOrEqual(300);
  });
});

describe("the deadline of a request", () => {
  const POD = podReview(SIGNED);
  it.each([
    ["/admit", POD, 5000],
    ["/admit?timeout=3s", POD, 2000],
    ["/mutate?timeout=2s", POD, 1000],
    ["/gatekeeper/verify", KEYS(SIGNED), 2500],
    ["/gatekeeper/mutate", KEYS("r.example/app:v1"), 800],
    [`/v1/verify?timeout=4s&image=${SIGNED}`, undefined, 3000],
    ["/imagereview?timeout=30s", IMAGE_REVIEW, 5000],
  ] as const)("of %s is the protocol's, the caller's or the configured one", async (path, body, expected) => {
    const { ask, reviews } = await started();
    const before = performance.now();
    await ask(path, body);
    const after = performance.now();
    const [at = 0] = reviews.map(({ deadline }) => deadline.at);
    expect(at - before).toBeGreaterThanOrEqual(expected);
    expect(at - after).toBeLessThanOrEqual(expected);
  });
});

describe("health and metrics", () => {
  it("say whether the server is ready, and count nothing", async () => {
    const { ask, counted } = await started({ isReady: false });
    expect([(await ask("/healthz")).status, (await ask("/readyz")).status]).toEqual([200, 503]);
    expect(await ask("/metrics")).toMatchObject({ status: 200, text: "up 1\n" });
    expect((await (await started()).ask("/readyz")).status).toBe(200);
    expect(counted).toEqual([]);
  });
});

describe("a listener", () => {
  it("answers the paths of its gates alone", async () => {
    const paths: Record<GateName, string> = {
      admit: "/admit",
      mutate: "/mutate",
      gatekeeper: "/gatekeeper/verify",
      verify: "/v1/verify",
      imagereview: "/imagereview",
      health: "/healthz",
      metrics: "/metrics",
    };
    for (const gate of GATES) {
      const { ask } = await started({ gates: [gate] });
      for (const other of GATES) {
        const isGet = other === "health" || other === "metrics";
        const { status } = await ask(paths[other], isGet ? undefined : "{}");
        expect(status === 404, `${other} at ${gate}`).toBe(other !== gate);
      }
    }
  });

  it("without TLS answers programs that name it, and no web page; health and metrics may have any name", async () => {
    const { ask, counted, reviews } = await started({ hosts: ["127.0.0.1:8443"] });
    expect((await ask("/admit", podReview(SIGNED))).status).toBe(403);
    expect([(await ask("/healthz")).status, (await ask("/metrics")).status]).toEqual([200, 200]);
    expect([counted, reviews]).toEqual([["admit 403"], []]);
  });

  it("has no path below these, and no other method", async () => {
    const { ask, counted } = await started();
    for (const path of ["/", "/admit/a/b", "/v1", "/gatekeeper", "/readyz/x", "/metrics/x"])
      expect((await ask(path, {})).status, path).toBe(404);
    for (const path of ["/admit", "/mutate", "/imagereview", "/gatekeeper/verify"]) {
      const { status, headers } = await ask(path);
      expect([status, headers.get("allow")], path).toEqual([405, "POST"]);
    }
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      const { status, headers } = await ask(path, {});
      expect([status, headers.get("allow")], path).toEqual([405, "GET"]);
    }
    expect(counted.slice(-5)).toEqual(["none 404", "admit 405", "mutate 405", "imagereview 405", "gatekeeper 405"]);
  });

  it("names its paths where it has not the one that is asked", async () => {
    const { ask } = await started({ gates: ["verify", "health", "metrics"] });
    expect((await ask("/")).json.error.detail).toBe(
      "nothing is answered here; this address has /v1/verify, /healthz, /readyz, /metrics",
    );
  });

  it("says nothing about a bug, and reports it", async () => {
    const { ask, failures } = await started();
    const { json } = await ask("/admit/bug", podReview(SIGNED));
    expect(json.response.status.code).toBe(500);
    expect(failures).toEqual([new Error("boom")]);
  });
});
