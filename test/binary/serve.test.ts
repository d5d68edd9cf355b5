import { mkdirSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ask as run, TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// What the gates of the compiled server answer, by which policy, and what they ask. Their connections are in
// serve-connections.test.ts, and Kubernetes' own API server in test/e2e.

const SECRET = "a-secret-of-the-pipeline";
/** Files are looked at every two seconds. */
const SOON = { timeout: 15_000, interval: 100 };
let node: TestNode;
let daemon: ServeDaemon;
let signed: Descriptor;
let unsigned: Descriptor;
let repository: string;

beforeAll(async () => {
  node = await TestNode.start();
  signed = await node.image("signed");
  unsigned = await node.image("unsigned", { signed: false });
  repository = `${node.registry.authority}/alice/app`;
  demand(node, { rule: { scope: `${node.registry.authority}/**` } });
  const audit = node.write("audit.yaml", policyOf("audit"));
  const tokens = node.write("tokens", `ci:${SECRET}\n`, 0o600);
  const [from, until] = [-60_000, 3_600_000].map((ms) => `${new Date(Date.now() + ms).toISOString().slice(0, 19)}Z`);
  const emergency = { from, until, scope: "**", namespaces: ["burning"], reason: "INC-1" };
  const breakGlassFile = node.write("server-break-glass.yaml", JSON.stringify(emergency));
  mkdirSync(join(node.folder, "serve-state"), { mode: 0o755 });
  daemon = await ServeDaemon.start(node, {
    settings: { stateDir: join(node.folder, "serve-state"), cacheEnabled: true },
    server: { policies: { audit }, tokenFiles: [tokens], breakGlassFile },
  });
});
afterAll(async () => {
  await daemon.stop();
  await node.stop();
});

function policyOf(action: string): string {
  const rule = { name: action, scope: `${node.registry.authority}/**`, action };
  return JSON.stringify({ version: 1, trustedDIDs: { [node.signer.did]: {} }, policies: [rule] });
}

/** Requests to all services since the last call. */
const asked = () => {
  const services = [node.plc, node.pds, node.registry] as const;
  const sum = services.reduce((all, service) => all + service.count(), 0);
  for (const service of services) service.forget();
  return sum;
};
beforeEach(() => void asked());

/** What the gates answer, as far as it is looked at. */
interface Json {
  readonly response: {
    readonly allowed?: boolean;
    readonly status: { readonly code: number; readonly message: string };
    readonly patch?: string;
    readonly items: readonly { readonly value: object }[];
  };
  readonly status: object;
  readonly verified?: boolean;
  readonly did?: string;
}

async function post(
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; json: Json }> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, fail) => {
    const asking = request(
      `${daemon.origin}${path}`,
      {
        ca: daemon.ca,
        method: text === undefined ? "GET" : "POST",
        headers: { "content-type": "application/json", ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString()) as Json }),
        );
      },
    );
    asking.once("error", fail);
    asking.end(text);
  });
}

/** The API server's question about a pod. */
function review(image: string, { namespace = "shop", ...more }: { namespace?: string; [key: string]: unknown } = {}) {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { containers: [{ name: "c", image }] },
  };
  const kind = { group: "", version: "v1", kind: "Pod" };
  const resource = { group: "", version: "v1", resource: "pods" };
  const userInfo = { username: "alice" };
  const all = { uid: "u1", kind, resource, operation: "CREATE", namespace, userInfo, object, ...more };
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: all };
}

/** What the API server is told: `allowed`, or the status and the code of the message. */
async function admitted(image: string, path = "/admit", more = {}): Promise<string> {
  const { response } = (await post(path, review(image, more))).json;
  return response.allowed
    ? "allowed"
    : `${response.status.code} ${/[a-z]+\.[a-z_]+/.exec(response.status.message)?.[0]}`;
}

describe("/admit", () => {
  it("allows a signed digest by evidence fetched once, and refuses another", async () => {
    expect(await admitted(`${repository}:v1@${signed.digest}`)).toBe("allowed");
    expect(asked()).toBeGreaterThan(0);
    expect(await admitted(`${repository}@${signed.digest}`)).toBe("allowed");
    expect(asked()).toBe(0);
    expect(await admitted(`${repository}@${unsigned.digest}`)).toBe("403 signature.none");
    expect(daemon.log.slice(-3)).toMatchObject([
      {
        gate: "admit",
        namespace: "shop",
        user: "alice",
        outcome: "allow",
        code: "signed",
        cache: "none",
        digest: signed.digest,
      },
      { code: "signed", cache: "fresh" },
      { outcome: "deny", code: "signature.none", image: `${repository}@${unsigned.digest}` },
    ]);
  });

  it("judges by the policy that its path names, and marks a dry run", async () => {
    expect(await admitted(`${repository}@${unsigned.digest}`, "/admit/audit", { dryRun: true })).toBe("allowed");
    expect(daemon.log.at(-1)).toMatchObject({
      code: "audited",
      rule: "audit",
      policyName: "audit",
      object: "Pod p",
      dryRun: true,
    });
    expect(await admitted(`${repository}@${signed.digest}`, "/admit/other")).toBe("500 policy.invalid");
  });

  it("asks nobody about a tag, nor about a registry that no rule names", async () => {
    expect(await admitted(`${repository}:v1`)).toBe("403 image.not_pinned");
    expect(await admitted(`other.example/app@${signed.digest}`)).toBe("403 policy.no_match");
    expect(asked()).toBe(0);
  });

  it("lets a namespace through for which break-glass is declared, and no other", async () => {
    expect(await admitted(`${repository}@${unsigned.digest}`, "/admit", { namespace: "burning" })).toBe("allowed");
    expect(daemon.log.at(-1)).toMatchObject({ code: "break_glass", breakGlass: { reason: "INC-1" } });
    expect(await admitted(`${repository}@${unsigned.digest}`, "/admit", { namespace: "burning2" })).toBe(
      "403 signature.none",
    );
    const { json } = await post("/gatekeeper/verify", provider(`${repository}@${unsigned.digest}`));
    expect(json.response.items[0]?.value).toMatchObject({ allowed: false, code: "signature.none" });
  });

  it("names and counts an object that it cannot judge, in one line a minute", async () => {
    const kind = { group: "", version: "v1", kind: "Secret" };
    const object = { kind: "Secret", metadata: { name: "db" } };
    const more = { kind, resource: { ...kind, resource: "secrets" }, object };
    for (let i = 0; i < 3; i++) expect(await admitted("", "/admit", more)).toBe("500 input.malformed");
    const what = "refused Secret db in namespace shop by alice: input.malformed: ";
    expect(daemon.output.split(`objects whose images /admit cannot judge: 1; the last: ${what}`)).toHaveLength(2);
    const metrics = await (await fetch(`http://127.0.0.1:${daemon.plainPort}/metrics`)).text();
    expect(metrics).toContain('atcr_verify_server_unjudged_total{result="refused"} 3');
  });

  it("refuses the name that the doctor asks about", async () => {
    expect(await admitted(`atcr.io/atcr-verify-probe/pod@${signed.digest}`)).toBe("403 policy.probe");
  });
});

describe("/mutate", () => {
  it("pins what the registry says, also what /admit then refuses", async () => {
    const { json } = await post("/mutate", review(`${repository}:unsigned`));
    expect(json.response.allowed).toBe(true);
    expect(json.response.patch).toBeUndefined();
    const tagged = node.registry.pushImage("alice/app", "tagged", "v1");
    const patched = await post("/mutate", review(`${repository}:v1`));
    const patch = JSON.parse(Buffer.from(patched.json.response.patch ?? "", "base64").toString());
    expect(patch).toEqual([
      { op: "replace", path: "/spec/containers/0/image", value: `${repository}:v1@${tagged.digest}` },
    ]);
  });
});

function provider(...keys: string[]) {
  return { apiVersion: "externaldata.gatekeeper.sh/v1beta1", kind: "ProviderRequest", request: { keys } };
}

describe("the other gates", () => {
  it("answer in the forms of Gatekeeper and of the API server's own plugin", async () => {
    const { json } = await post("/gatekeeper/verify", provider(`${repository}@${signed.digest}`));
    expect(json.response).toMatchObject({ items: [{ value: { allowed: true, verified: true, code: "signed" } }] });
    const spec = { containers: [{ image: `${repository}@${unsigned.digest}` }], namespace: "shop" };
    const { json: reviewed } = await post("/imagereview", {
      apiVersion: "imagepolicy.k8s.io/v1alpha1",
      kind: "ImageReview",
      spec,
    });
    expect(reviewed.status).toMatchObject({ allowed: false, reason: expect.stringContaining("signature.none") });
  });

  it("demand a token at /v1/verify, whose name is logged", async () => {
    const path = `/v1/verify?image=${encodeURIComponent(`${repository}@${signed.digest}`)}`;
    expect((await post(path)).status).toBe(401);
    expect((await post(path, undefined, { authorization: `Bearer ${SECRET}x` })).status).toBe(401);
    const { status, json } = await post(path, undefined, { authorization: `Bearer ${SECRET}` });
    expect([status, json.verified, json.did]).toEqual([200, true, node.signer.did]);
    expect(daemon.log.at(-1)).toMatchObject({ gate: "verify", user: "ci" });
    expect(daemon.output).not.toContain(SECRET);
    // Both are of one minute.
    expect(daemon.output.match(/^requests to \/v1\/verify without a token.*: 1$/gm)).toHaveLength(1);
  });
});

describe("settings", () => {
  it("are named at the start, and an emergency is", () => {
    expect(daemon.output).toMatch(/^policy audit: .*audit\.yaml: 1 rule, 1 signer; enforces; SHA-256 [0-9a-f]{64}$/m);
    expect(daemon.output).toMatch(/^BREAK-GLASS IS ACTIVE until .*Z for \*\* in namespaces burning: INC-1$/m);
    expect(daemon.output).not.toContain("history.not_written");
  });

  it("are read again, and stay in force where they are broken", async () => {
    const image = `${repository}@${unsigned.digest}`;
    const file = join(node.folder, "audit.yaml");
    const before = readFileSync(file, "utf8");
    node.write("audit.yaml", "version: [");
    await vi.waitFor(() => expect(daemon.output).toContain("audit.yaml:1:11: "), SOON);
    expect(await admitted(image, "/admit/audit")).toBe("allowed");
    node.write("audit.yaml", policyOf("enforce"));
    await vi.waitFor(async () => expect(await admitted(image, "/admit/audit")).toBe("403 signature.none"), SOON);
    node.write("audit.yaml", before);
  });

  it("are read again on SIGHUP, which does not end the server", async () => {
    process.kill(daemon.pid, "SIGHUP");
    await vi.waitFor(() => expect(daemon.output).toMatch(/^SIGHUP: /m), SOON);
    expect(await admitted(`${repository}@${signed.digest}`)).toBe("allowed");
  });

  it("must name where to listen, and a policy that can be used", async () => {
    const without = node.configure({ ...node.settings }, "without.yaml");
    expect(await run(["serve", "--config", without])).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("config.invalid"),
    });
    const trustPolicyPath = node.write("broken.yaml", "version: [");
    const broken = node.configure(
      { ...node.settings, trustPolicyPath, server: { listen: "127.0.0.1:1" } },
      "broken-config.yaml",
    );
    expect(await run(["serve", "--config", broken])).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("policy.invalid"),
    });
  });
});

describe("the end", () => {
  it("is named with its signal, and is the last line", async () => {
    await daemon.stop();
    expect(daemon.output).toMatch(/^stopping on SIGTERM: what is asked now is still answered\nstopped\n$/m);
    expect(daemon.output.trimEnd().split("\n").at(-1)).toBe("stopped");
  });
});
