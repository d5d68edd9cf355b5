import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CertificateAuthority } from "../support/certificates.ts";
import { missingPart } from "../support/kubernetes-api.ts";
import { OpaEngine } from "../support/opa-engine.ts";
import { requirement } from "../support/requirement.ts";

// The template of integrations/ratify in OPA's engine. The provider answers in the shape of Ratify's Go types (v1.4.4:
// httpserver/types.go, pkg/verifier/result.go); Ratify itself was not run.

const testable = requirement("the ConstraintTemplate for Ratify in OPA's engine", missingPart("opa-engine"));
const DIGEST = `@sha256:${"0".repeat(64)}`;
const [APP, SIDE] = [`r.example/app${DIGEST}`, `r.example/side${DIGEST}`];
const SIGNED = {
  subject: APP,
  isSuccess: true,
  name: "atcr-signature",
  verifierName: "atcr-signature",
  type: "atcr-verify",
  verifierType: "atcr-verify",
  artifactType: "application/vnd.atproto.signature.v1+json",
  message: "allow signed: it is",
};
const REFUSED = { ...SIGNED, isSuccess: false, message: "deny signature.none: nobody signed it" };
const OTHERS = { ...SIGNED, type: "cosign", verifierType: "cosign" };

let engine: OpaEngine;
let provider: Server;
let authority: CertificateAuthority;
let answer: (keys: readonly string[]) => unknown;

beforeAll(async () => {
  if (!testable) return;
  engine = new OpaEngine();
  authority = new CertificateAuthority();
  provider = createServer(authority.issue({ names: ["127.0.0.1"] }), (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const asked = JSON.parse(Buffer.concat(chunks).toString()) as { request: { keys: string[] } };
      response.end(JSON.stringify(answer(asked.request.keys)));
    });
  });
  await new Promise<void>((done) => provider.listen(0, "127.0.0.1", done));
});
afterAll(async () => {
  await engine?.stop();
  provider?.close();
});

/** What the template says about an object. */
async function violations(review: Readonly<Record<string, unknown>>, named = "ratify-provider") {
  const path = `${import.meta.dirname}/../../integrations/ratify/template.yaml`;
  const template = parse(readFileSync(path, "utf8")) as { spec: { targets: { rego: string }[] } };
  const { port } = provider.address() as AddressInfo;
  const own = {
    url: `https://127.0.0.1:${port}`,
    caBundle: Buffer.from(authority.cert).toString("base64"),
    timeout: 2,
  };
  const rego = template.spec.targets[0]?.rego ?? "";
  return (await engine.evaluate({ rego, providers: { [named]: own }, review })).violations;
}

const spec = (...images: readonly unknown[]) => ({ containers: images.map((image) => ({ image })) });
const podOf = (...images: readonly unknown[]) => ({ operation: "CREATE", object: { spec: spec(...images) } });
/** Answers every key with this value. */
const always = (value: unknown) => (keys: readonly string[]) => items(keys.map((key) => ({ key, value })));
const items = (all: readonly object[], systemError = "") => ({ response: { items: all, systemError } });
const success = { isSuccess: true, verifierReports: [SIGNED] };

describe.runIf(testable)("an image", () => {
  it.each<[string, (keys: readonly string[]) => unknown]>([
    ["a success of atcr-verify", always(success)],
    ["one among others", always({ isSuccess: true, verifierReports: [OTHERS, SIGNED] })],
  ])("is admitted by %s", async (_, answering) => {
    answer = answering;
    expect(await violations(podOf(APP, SIDE, APP))).toEqual([]);
  });

  it.each<[string, (keys: readonly string[]) => unknown, RegExp]>([
    ["a refusal", always({ isSuccess: false, verifierReports: [REFUSED] }), /deny signature\.none/],
    [
      "a success of another verifier alone",
      always({ isSuccess: true, verifierReports: [OTHERS, REFUSED] }),
      /signature\.none/,
    ],
    ["a policy of Ratify that fails", always({ isSuccess: false, verifierReports: [SIGNED] }), /allow signed/],
    ["no report", always({ isSuccess: true }), /no result/],
    ["reports that are null", always({ isSuccess: true, verifierReports: null }), /no result/],
    ["no isSuccess", always({ verifierReports: [SIGNED] }), /signed/],
    ["isSuccess that is a text", always({ isSuccess: "true", verifierReports: [SIGNED] }), /signed/],
    [
      "messages of any shape",
      always({ isSuccess: false, verifierReports: [{ message: 7 }, { message: {} }] }),
      /7; \{\}/,
    ],
    ["null", always(null), /no result/],
    ["an error", (keys) => items(keys.map((key) => ({ key, error: "boom" }))), /boom/],
    [
      "an error beside a value",
      () =>
        items([
          { key: APP, error: "boom" },
          { key: APP, value: success },
        ]),
      /boom/,
    ],
    ["an error of the system", () => items([], "operation failed"), /operation failed/],
    [
      "one beside values",
      (keys) =>
        items(
          keys.map((key) => ({ key, value: success })),
          "late",
        ),
      /late/,
    ],
    ["no item", () => items([]), /no result/],
    ["the item of another image", () => items([{ key: SIDE, value: success }]), /no result/],
    ["a text", () => "oops", /is not verified/],
  ])("is refused by %s", async (_, answering, reason) => {
    answer = answering;
    expect(await violations(podOf(APP))).toEqual([expect.stringMatching(reason)]);
  });

  it("is refused where Ratify is not registered", async () => {
    answer = always(success);
    expect(await violations(podOf(APP), "another")).toHaveLength(1);
  });

  it.each<[string, object]>([
    ["a pod, in any list", { spec: { initContainers: [{ image: APP }], ephemeralContainers: [{ image: SIDE }] } }],
    [
      "a volume",
      { spec: { containers: [{ image: APP }], volumes: [{ emptyDir: {} }, { image: { reference: SIDE } }] } },
    ],
    ["a workload", { spec: { replicas: 1, template: { spec: spec(APP, SIDE) } } }],
    ["a CronJob", { spec: { jobTemplate: { spec: { template: { spec: spec(APP, SIDE) } } } } }],
    ["a PodTemplate", { template: { spec: spec(APP, SIDE) } }],
  ])("is found in %s", async (_, object) => {
    answer = always({ isSuccess: false });
    expect(await violations({ operation: "CREATE", object })).toHaveLength(2);
  });

  it("is not asked about again where an update leaves it, and only there", async () => {
    answer = always({ isSuccess: false });
    const old = { spec: spec(APP) };
    const update = { ...podOf(APP, SIDE), operation: "UPDATE", oldObject: old };
    expect(await violations(update)).toEqual([expect.stringContaining(SIDE)]);
    expect(await violations({ ...podOf(APP), operation: "UPDATE", oldObject: old })).toEqual([]);
    expect(await violations({ ...podOf(APP), oldObject: old })).toHaveLength(1);
    expect(await violations({ operation: "UPDATE", object: old, oldObject: null })).toHaveLength(1);
    expect(await violations({ operation: "DELETE", object: null, oldObject: old })).toEqual([]);
    // An audit of what is there has no operation.
    expect(await violations({ object: old })).toHaveLength(1);
  });
});
