import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import { missingPart } from "../support/kubernetes-api.ts";
import { deployment, type KubernetesObject, pod } from "../support/kubernetes-objects.ts";
import { type Evaluated, type Evaluation, OpaEngine } from "../support/opa-engine.ts";
import { requirement } from "../support/requirement.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";

const TEMPLATE = "integrations/kubernetes/overlays/gatekeeper/registration/template.yaml";
const NAME = "atcr-verify";
const testable = requirement("the ConstraintTemplate in OPA's engine", missingPart("opa-engine"));
let node: TestNode;
let serve: ServeDaemon;
let engine: OpaEngine;
let provider: AnyProvider;
let rego: string;

beforeAll(async () => {
  if (!testable) return;
  const template = parse(readFileSync(TEMPLATE, "utf8")) as { spec: { targets: { rego: string }[] } };
  rego = template.spec.targets[0]?.rego ?? "";
  node = await TestNode.start();
  demand(node);
  [serve, provider] = await Promise.all([ServeDaemon.start(node), AnyProvider.start(node.authority)]);
  engine = new OpaEngine();
});
afterAll(async () => {
  await engine?.stop();
  await provider?.stop();
  await serve?.stop();
  await node?.stop();
});

/** A provider that answers what a test gives it. */
class AnyProvider {
  answer: (keys: readonly string[]) => unknown = () => "";
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(authority: CertificateAuthority): Promise<AnyProvider> {
    const server = createServer(authority.issue({ names: ["127.0.0.1"] }), (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { request: asked } = JSON.parse(Buffer.concat(chunks).toString()) as { request: { keys: string[] } };
        const answer = provider.answer(asked.keys);
        if (answer === undefined) request.socket.destroy();
        else response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new AnyProvider(server);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

interface Asked {
  readonly url?: string;
  readonly ca?: string;
  readonly more?: Partial<Evaluation>;
  readonly review?: object;
}

function evaluate(object: KubernetesObject, { url, ca, more, review }: Asked = {}): Promise<Evaluated> {
  const caBundle = Buffer.from(ca ?? node.authority.cert).toString("base64");
  const kind = { group: "", version: "v1", kind: object["kind"] };
  return engine.evaluate({
    rego,
    providers: { [NAME]: { url: url ?? `${serve.origin}/gatekeeper/verify`, caBundle, timeout: 3 } },
    parameters: {},
    review: { kind, operation: "CREATE", namespace: "default", name: "x", object, ...review },
    ...more,
  });
}

const violations = async (...args: Parameters<typeof evaluate>) => (await evaluate(...args)).violations;

/** An image at the node's registry, pinned. */
async function pinned(salt: string, signed: boolean): Promise<string> {
  const { digest } = await node.image(salt, { signed });
  return `${node.registry.authority}/alice/app@${digest}`;
}

describe.runIf(testable)("the ConstraintTemplate with the provider", () => {
  it("admits a signed image, and refuses another one with the reason", async () => {
    const [signed, unsigned] = [await pinned("signed", true), await pinned("unsigned", false)];
    expect(await violations(pod("x", [signed]))).toEqual([]);
    expect(await violations(deployment("x", [signed]))).toEqual([]);
    const [refusal, ...others] = await violations(pod("x", [signed, unsigned]));
    expect(others).toEqual([]);
    expect(refusal).toContain(unsigned);
    expect(refusal).toContain("signature.none");
    expect(await violations(deployment("x", [unsigned]))).toHaveLength(1);
  });

  it("looks at init containers, ephemeral containers and image volumes", async () => {
    const [signed, unsigned] = [await pinned("signed", true), await pinned("hidden", false)];
    const places = [
      { initContainers: [{ name: "i", image: unsigned }] },
      { ephemeralContainers: [{ name: "e", image: unsigned }] },
      { volumes: [{ name: "v", image: { reference: unsigned } }] },
    ];
    for (const place of places) expect(await violations(pod("x", [signed], place))).toHaveLength(1);
  });

  it("refuses a tag", async () => {
    await pinned("tagged", true);
    expect((await violations(pod("x", [node.name]))).join()).toContain("image.not_pinned");
  });

  it("keeps a verdict in Gatekeeper's cache, where the status is 0, and no outage", async () => {
    const [signed, unsigned] = [await pinned("cached", true), await pinned("cached refusal", false)];
    const more = { cacheSeconds: 60 };
    for (const expected of [200, 0]) {
      const { violations, external } = await evaluate(pod("x", [signed]), { more });
      expect([violations, external[0]?.status_code]).toEqual([[], expected]);
    }
    for (const expected of [200, 0]) {
      const { violations, external } = await evaluate(pod("x", [unsigned]), { more });
      expect([violations.length, external[0]?.status_code]).toEqual([1, expected]);
    }
    const late = await pinned("outage", true);
    const undo = node.pds.override("/xrpc/", { status: 503 });
    try {
      const outage = await evaluate(pod("x", [late, signed]), { more });
      expect(outage.violations.length).toBeGreaterThan(0);
      expect(outage.external[0]?.system_error).toContain("pds.");
      expect(outage.external[0]?.errors).toEqual([]);
    } finally {
      undo();
    }
    expect(await violations(pod("x", [late]), { more })).toEqual([]);
  });
});

describe.runIf(testable)("the ConstraintTemplate refuses where", () => {
  const image = "registry.example/alice/app@sha256:00";
  const response = (items: unknown, more: object = {}) => ({
    apiVersion: "externaldata.gatekeeper.sh/v1beta1",
    kind: "ProviderResponse",
    response: { idempotent: true, items, systemError: "", ...more },
  });
  const good = { key: image, value: { allowed: true } };
  const with_ = (value: unknown) => response([{ key: image, value }]);

  const answers: Readonly<Record<string, unknown>> = {
    "the connection is closed": undefined,
    "the answer is no JSON": "<html>",
    "the answer is empty": {},
    "the answer is null": "null",
    "there is a system error": response([], { systemError: "pds.unreachable: …" }),
    "there is a system error beside a good answer": response([good], { systemError: "pds.unreachable: …" }),
    "the item is missing": response([]),
    "the items are missing": response(undefined),
    "the items are no list": response(null),
    "the item is about another image": response([{ ...good, key: "another" }]),
    "the item has an error": response([{ key: image, error: "signature.none" }]),
    "the item has an error beside its value": response([{ ...good, error: "signature.none" }]),
    "the item comes twice, and once it is refused": response([good, { key: image, value: { allowed: false } }]),
    "another item has an error": response([good, { key: "another", error: "signature.none" }]),
    "`allowed` is missing": with_({}),
    "`allowed` is false": with_({ allowed: false }),
    "`allowed` is a text": with_({ allowed: "true" }),
    "`allowed` is a number": with_({ allowed: 1 }),
    "`allowed` is null": with_({ allowed: null }),
    "`allowed` is a list": with_({ allowed: [true] }),
    "the value is true itself": with_(true),
    "the value is a text": with_("allowed"),
    "the value is null": with_(null),
    "the value is a list": with_([{ allowed: true }]),
    "the key is no text": response([{ key: [image], value: { allowed: true } }]),
  };

  for (const [name, answer] of Object.entries(answers)) {
    it(name, async () => {
      provider.answer = () => answer;
      expect(await violations(pod("x", [image]), { url: provider.url })).not.toEqual([]);
    });
  }

  it("nothing else, with this answer", async () => {
    provider.answer = () => response([good]);
    expect(await violations(pod("x", [image]), { url: provider.url })).toEqual([]);
    const more = { ...good, value: { allowed: true, code: "ok", more: [1] } };
    provider.answer = () => response([more, { key: "not asked", value: { allowed: false } }]);
    expect(await violations(pod("x", [image]), { url: provider.url })).toEqual([]);
  });

  it("nothing answers, the certificate is another's, or there is no such Provider", async () => {
    const object = pod("x", [image]);
    provider.answer = () => response([good]);
    expect(await violations(object, { url: "https://127.0.0.1:1/" })).not.toEqual([]);
    expect(await violations(object, { url: provider.url, ca: new CertificateAuthority().cert })).not.toEqual([]);
    expect(await violations(object, { more: { providers: {} } })).not.toEqual([]);
    expect(await violations(object, { url: provider.url.replace("https:", "http:") })).not.toEqual([]);
  });

  it("a good answer is only about one of two images", async () => {
    provider.answer = () => response([good]);
    expect(await violations(pod("x", [image, `${image}00`]), { url: provider.url })).not.toEqual([]);
  });

  it("the object has no image, an odd one, or is of an unknown kind", async () => {
    provider.answer = (keys) => response(keys.map((key) => ({ key, value: { allowed: false } })));
    const { url } = provider;
    expect(await violations(pod("x", []), { url })).not.toEqual([]);
    for (const odd of [{}, { image: 7 }, { image: null }, { image: [image] }]) {
      expect(await violations(pod("x", [], { containers: [{ name: "c", ...odd }] }), { url })).not.toEqual([]);
    }
    expect(await violations({ ...pod("x", [image]), kind: "Unknown" }, { url })).not.toEqual([]);
  });

  it("an update changes an image; one that does not is let through, and so is a deletion", async () => {
    provider.answer = (keys) => response(keys.map((key) => ({ key, value: { allowed: false, reason: "deny" } })));
    const { url } = provider;
    const [old, changed] = [pod("x", ["old@sha256:11"]), pod("x", ["new@sha256:22"])];
    expect(await violations(old, { url, review: { operation: "UPDATE", oldObject: old } })).toEqual([]);
    expect(await violations(changed, { url, review: { operation: "UPDATE", oldObject: old } })).not.toEqual([]);
    expect(await violations(old, { url, review: { operation: "CREATE", oldObject: old } })).not.toEqual([]);
    expect(await violations(old, { url, review: { operation: "DELETE", oldObject: old } })).toEqual([]);
  });
});
