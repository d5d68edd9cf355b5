import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mutatingAnswer, validatingAnswer } from "../../src/core/admission/admission-answer.ts";
import { type AdmissionRequest, parseAdmissionReview } from "../../src/core/admission/admission-request.ts";
import { parseImageReview } from "../../src/core/admission/image-review.ts";
import { parseProviderRequest } from "../../src/core/admission/provider-request.ts";
import { parseVerifyRequest } from "../../src/core/admission/verify-request.ts";
import { Rejection } from "../../src/core/rejection.ts";
import { ABSENT, AUDITED, digestOf, EXEMPT, MALFORMED, SIGNED, SILENT } from "../support/image-results.ts";
import {
  type Changeable,
  imageAnswer,
  RECORDED_REQUESTS,
  recordedBytes,
  sent,
} from "../support/recorded-admission/recorded-request.ts";

const READERS = [parseAdmissionReview, parseProviderRequest, parseImageReview, parseVerifyRequest];

/** What it returns; undefined where it rejects. Other errors propagate. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}

const value = fc.oneof(
  fc.constantFrom<unknown>(null, "", 0, true, [], {}, [null], "v1", "Pod", "x".repeat(300), { image: 1 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Every place in the value, as a path of keys. */
function pathsOf(json: Changeable, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof json !== "object" || json === null) return [path];
  return [path, ...Object.keys(json).flatMap((key) => pathsOf(json[key], [...path, key]))];
}

const RECORDED = RECORDED_REQUESTS.map((name) => JSON.parse(new TextDecoder().decode(recordedBytes(name))));
const broken = fc.constantFrom(...RECORDED).chain((json) =>
  fc.tuple(fc.constantFrom(...pathsOf(json).slice(1)), value).map(([path, replaced]) => {
    const copy = structuredClone(json);
    const parent = path.slice(0, -1).reduce((one: Changeable, key) => one[key], copy);
    parent[path.at(-1) ?? ""] = replaced;
    return copy;
  }),
);

const image = fc
  .tuple(fc.constantFrom("atcr.io/a/b", "docker.io/library/c", "nginx"), fc.constantFrom("", ":1", ":2"), fc.boolean())
  .map(([name, tag, hasDigest]) => `${name}${tag}${hasDigest ? `@${digestOf("c3")}` : ""}`);
const container = fc.record({ name: fc.constantFrom("a", "b", "c"), image });
const volume = fc.oneof(
  fc.record({ name: fc.constantFrom("v", "w"), image: fc.record({ reference: image }) }),
  fc.record({ name: fc.constant("e"), emptyDir: fc.constant({}) }),
);
const podSpec = fc.record(
  {
    initContainers: fc.array(container, { maxLength: 3 }),
    containers: fc.array(container, { maxLength: 3 }),
    ephemeralContainers: fc.array(container, { maxLength: 3 }),
    volumes: fc.array(volume, { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

interface Spec {
  readonly initContainers?: readonly { name: string; image: string }[];
  readonly containers?: readonly { name: string; image: string }[];
  readonly ephemeralContainers?: readonly { name: string; image: string }[];
  readonly volumes?: readonly { name: string; image?: { reference: string } }[];
}

function imagesIn(spec: Spec): readonly string[] {
  const containers = [spec.initContainers, spec.containers, spec.ephemeralContainers].flatMap((list) => list ?? []);
  const volumes = (spec.volumes ?? []).flatMap((one) => one.image?.reference ?? []);
  return [...containers.map((one) => one.image), ...volumes];
}

const pod = (spec: unknown) => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec });
function asked(operation: string, object: unknown, oldObject: unknown = null): AdmissionRequest {
  const request = {
    uid: "0a6f1c6e",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    operation,
    object,
    oldObject,
  };
  return parseAdmissionReview(sent({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request }));
}

/** As the API server applies it; the patch replaces only. */
function patched(object: Changeable, review: Changeable): Changeable {
  const copy = structuredClone(object);
  const { patch } = review.response;
  if (patch === undefined) return copy;
  for (const { path, value: written } of JSON.parse(Buffer.from(patch, "base64").toString("utf8"))) {
    const keys = path.split("/").slice(1);
    const parent = keys.slice(0, -1).reduce((one: Changeable, key: string) => one[key], copy);
    expect(parent[keys.at(-1)]).toBeTypeOf("string");
    parent[keys.at(-1)] = written;
  }
  return copy;
}

const judged = fc.constantFrom(SIGNED, EXEMPT, AUDITED, ABSENT, SILENT, MALFORMED);

describe("a request from outside", () => {
  it("is read or rejected, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const reader of READERS) expect(attempt(() => reader(bytes))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
    let read = 0;
    fc.assert(
      fc.property(broken, (json) => {
        for (const reader of READERS) if (attempt(() => reader(sent(json))) !== undefined) read++;
      }),
      { numRuns: 1500 },
    );
    expect(read).toBeGreaterThan(100);
  });

  it("is answered by its uid, and never allowed without a reason", () => {
    fc.assert(
      fc.property(broken, fc.array(judged, { maxLength: 4 }), (json, answers) => {
        const request = attempt(() => parseAdmissionReview(sent(json)));
        if (request === undefined) return;
        const given = answers.map((answer, i) => imageAnswer(request.images[i]?.image ?? "other", answer));
        const known = new Map(given.map((one) => [one.image, one.answer.outcome]));
        const { response }: Changeable = validatingAnswer(request, given);
        expect([response.uid, response.patch]).toEqual([json.request.uid, undefined]);
        const isAllowed = request.images.every((one) => known.get(one.image) === "allow");
        const isSkipped = request.skipped !== undefined;
        expect(response.allowed).toBe(isSkipped || (request.problem === undefined && isAllowed));
        expect(response.status === undefined).toBe(response.allowed);
        const mutated: Changeable = mutatingAnswer(request, given);
        expect([mutated.response.uid, mutated.response.allowed]).toEqual([json.request.uid, true]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the images of a pod", () => {
  it("are all found when it is created", () => {
    fc.assert(
      fc.property(podSpec, (spec) => {
        const { images, skipped, problem } = asked("CREATE", pod(spec));
        expect(problem).toBeUndefined();
        expect(images.map((one) => one.image)).toEqual(imagesIn(spec as Spec));
        expect(skipped === undefined).toBe(images.length > 0);
      }),
    );
  });

  it("are found in an update, except where their place had them", () => {
    fc.assert(
      fc.property(podSpec, podSpec, (before, after) => {
        const judgedImages = asked("UPDATE", pod(after), pod(before)).images.map((one) => one.image);
        const old = new Set(imagesIn(before as Spec));
        for (const one of imagesIn(after as Spec)) if (!old.has(one)) expect(judgedImages).toContain(one);
        expect(asked("UPDATE", pod(after), pod(after)).images).toEqual([]);
      }),
    );
  });
});

describe("a patch", () => {
  it("pins every image, and the second one is empty", () => {
    fc.assert(
      fc.property(podSpec, (spec) => {
        const answersTo = ({ images }: AdmissionRequest) =>
          images.map((one) => {
            const pinned = one.image.includes("@") ? one.image : `${one.image}@${digestOf("a1")}`;
            return imageAnswer(one.image, SIGNED, { pinned });
          });
        const first = asked("CREATE", pod(spec));
        const once = patched(pod(spec), mutatingAnswer(first, answersTo(first)));
        for (const one of imagesIn(once.spec)) expect(one).toMatch(/^[^@]+@sha256:[0-9a-f]{64}$/);
        expect(imagesIn(once.spec).map((one) => one.replace(/@.*/, ""))).toEqual(
          imagesIn(spec as Spec).map((one) => one.replace(/@.*/, "")),
        );
        const second = asked("CREATE", once);
        const { response }: Changeable = mutatingAnswer(second, answersTo(second));
        expect(response).toEqual({ uid: "0a6f1c6e", allowed: true });
      }),
    );
  });
});
