import { describe, expect, it } from "vitest";
import { parseAdmissionReview } from "../../../../src/core/admission/admission-request.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import {
  type Changeable,
  changedRequest,
  recordedBytes,
  sent,
} from "../../../support/recorded-admission/recorded-request.ts";
import { codeOf } from "../../../support/rejection.ts";

const parse = (name: string) => parseAdmissionReview(recordedBytes(name));
const changed = (name: string, change: (request: Changeable) => void) =>
  parseAdmissionReview(changedRequest(name, ({ request }: Changeable) => change(request)));
const images = (name: string) => parse(name).images.map(({ image }) => image);
const APP = "atcr.io/alice.example.com/app:v1";

describe("parseAdmissionReview", () => {
  it("reads a new pod, with init containers and image volumes", () => {
    expect(parse("pod-create-image-volume")).toEqual({
      uid: "0a6f1c6e-58c1-4a1e-9d0a-37b2d2f0a001",
      kind: "v1/Pod",
      resource: "pods",
      operation: "CREATE",
      namespace: "shop",
      name: "web",
      object: "Pod web",
      user: "jane@example.com",
      dryRun: false,
      images: [
        { image: "atcr.io/alice.example.com/migrate:v1", pointer: "/spec/initContainers/0/image" },
        { image: APP, pointer: "/spec/containers/0/image" },
        {
          image: `atcr.io/alice.example.com/proxy:v2@sha256:${"a1".repeat(32)}`,
          pointer: "/spec/containers/1/image",
        },
        { image: "atcr.io/alice.example.com/models:v3", pointer: "/spec/volumes/0/image/reference" },
      ],
    });
  });

  it("judges the ephemeral container that is added, and not the others", () => {
    expect(parse("pod-ephemeral-containers")).toMatchObject({
      subResource: "ephemeralcontainers",
      images: [{ image: "evil.example/tools:latest", pointer: "/spec/ephemeralContainers/1/image" }],
    });
  });

  it("reads ephemeral containers as Kubernetes 1.20 has them", () => {
    expect(parse("ephemeral-containers-1.20")).toMatchObject({
      kind: "v1/EphemeralContainers",
      images: [{ image: "evil.example/tools:latest", pointer: "/ephemeralContainers/0/image" }],
    });
  });

  it("reads workloads, and whether nothing is to be stored", () => {
    expect(parse("deployment-create")).toMatchObject({
      kind: "apps/v1/Deployment",
      dryRun: true,
      images: [{ image: APP, pointer: "/spec/template/spec/containers/0/image" }],
    });
    expect(parse("cronjob-create").images).toEqual([
      {
        image: "atcr.io/alice.example.com/job:v1",
        pointer: "/spec/jobTemplate/spec/template/spec/containers/0/image",
      },
    ]);
  });
});

describe("a namespace", () => {
  it.each(["a", "a".repeat(63), "a-b", "0"])("may be %s", (namespace) => {
    expect(changed("pod-create-image-volume", (request) => (request.namespace = namespace)).namespace).toBe(namespace);
  });

  it.each(["a".repeat(64), "-a", "a-", "A"])("may not be %s", (namespace) => {
    expect(codeOf(() => changed("pod-create-image-volume", (request) => (request.namespace = namespace)))).toBe(
      "input.malformed",
    );
  });
});

describe("a kind", () => {
  it.each<readonly [string, object]>([
    ["v1/Pod", { version: "v1", kind: "Pod" }],
    ["apps//", { group: "apps" }],
    ["/Pod", { kind: "Pod" }],
    ["v1/", { version: "v1" }],
  ])("is %s where parts are missing", (expected, kind) => {
    const request = changed("pod-create-image-volume", (found) => (found.kind = kind));
    expect([request.kind, request.problem === undefined]).toEqual([expected, expected === "v1/Pod"]);
  });
});

describe("what is not judged", () => {
  it.each([
    ["deployment-scale", "the subresource scale has no image"],
    ["pod-status", "the subresource status has no image"],
    ["pod-binding", "the subresource binding has no image"],
    ["pod-delete", "DELETE adds no image"],
    ["pod-finalizer-removed", "the object is being deleted"],
    ["deployment-update-replicas", "no image changed"],
  ])("%s: %s", (name, skipped) => {
    const request = parse(name);
    expect([request.skipped, request.images, request.problem]).toEqual([skipped, [], undefined]);
  });

  it("is an eviction", () => {
    const eviction = changed("pod-binding", (request) => {
      request.subResource = "eviction";
      request.kind = { group: "policy", version: "v1", kind: "Eviction" };
      request.object = { kind: "Eviction", apiVersion: "policy/v1", metadata: { name: "web" } };
    });
    expect(eviction.skipped).toBe("the subresource eviction has no image");
  });

  it("is CONNECT, whatever it is about", () => {
    const connect = changed("pod-create-image-volume", (request) => {
      request.operation = "CONNECT";
      request.subResource = "exec";
      request.object = { kind: "PodExecOptions", apiVersion: "v1" };
    });
    expect(connect.skipped).toBe("CONNECT adds no image");
  });

  it("is an object without images", () => {
    const none = changed("deployment-create", ({ object }) => delete object.spec.template.spec);
    expect(none.skipped).toBe("the object names no image");
  });
});

describe("what no user can have skipped", () => {
  it("a deletion that only the new object claims", () => {
    const claim = (object: Changeable) => (object.metadata.deletionTimestamp = "2026-11-30T10:00:00Z");
    expect(changed("pod-create-image-volume", ({ object }) => claim(object)).images).toHaveLength(4);
    expect(changed("deployment-update-image", ({ object }) => claim(object)).images).toHaveLength(1);
    // There is no old object when one is created.
    const created = changed("pod-create-image-volume", (request) => {
      request.oldObject = structuredClone(request.object);
      claim(request.oldObject);
    });
    expect(created.images).toHaveLength(4);
    expect(created.skipped).toBeUndefined();
  });

  it("an old object that is being deleted has the time itself", () => {
    for (const none of [null, ""]) {
      const update = changed("deployment-update-image", ({ oldObject }) => {
        oldObject.metadata.deletionTimestamp = none;
      });
      expect(update.images).toHaveLength(1);
    }
  });

  it("annotations and labels, those of a mirror pod among them", () => {
    expect(images("pod-create-forged-mirror")).toEqual(["evil.example/agent:v1"]);
  });

  it("an image in an old object where one is created", () => {
    const created = changed("pod-create-image-volume", (request) => {
      request.oldObject = structuredClone(request.object);
    });
    expect(created.images).toHaveLength(4);
  });

  it("a subresource that is not known to have no image", () => {
    const resized = changed("deployment-update-image", (request) => (request.subResource = "resize"));
    expect(resized.images).toHaveLength(1);
  });

  it("an update without the old object", () => {
    expect(changed("deployment-update-replicas", (request) => (request.oldObject = null)).images).toHaveLength(1);
  });
});

describe("an update", () => {
  const [first, second] = ["evil.example/a:1", "atcr.io/alice.example.com/b:1"];
  const update = (before: Changeable, after: Changeable) =>
    changed("deployment-update-image", ({ oldObject, object }) => {
      oldObject.spec.template.spec = before;
      object.spec.template.spec = after;
    });

  it("judges an image that moved to another container, list or volume", () => {
    const a = { name: "a", image: first };
    const b = { name: "b", image: second };
    const swapped = {
      containers: [
        { ...a, image: second },
        { ...b, image: first },
      ],
    };
    expect(update({ containers: [a, b] }, swapped).images).toHaveLength(2);
    expect(update({ containers: [a] }, { initContainers: [a] }).images).toHaveLength(1);
    expect(update({ containers: [a] }, { containers: [{ ...a, name: "other" }] }).images).toHaveLength(1);
    const volume = (name: string) => ({ name, image: { reference: first } });
    expect(update({ volumes: [volume("a")] }, { containers: [a] }).images).toHaveLength(1);
    expect(update({ volumes: [volume("a")] }, { volumes: [volume("a")] }).skipped).toBe("no image changed");
    expect(update({ volumes: [volume("a")] }, { volumes: [volume("b")] }).images).toHaveLength(1);
  });

  it("does not judge those that stay, in whatever order", () => {
    const [a, b, c] = [
      { name: "a", image: first },
      { name: "b", image: second },
      { name: "c", image: "docker.io/library/c:1" },
    ];
    expect(update({ containers: [a, b] }, { containers: [c, b, a] }).images).toEqual([
      { image: c?.image, pointer: "/spec/template/spec/containers/0/image" },
    ]);
    expect(update({ containers: [a, b] }, { containers: [b] }).skipped).toBe("no image changed");
  });

  it("does not confuse a name and an image that are written into each other", () => {
    const one = (name: string, image: string) => ({ containers: [{ name, image }] });
    expect(update(one('a"] b', "c"), one("a", 'b"] c')).images).toHaveLength(1);
    expect(update(one("a b", "c"), one("a", "b c")).images).toHaveLength(1);
  });

  it("judges what was empty before", () => {
    expect(update({ containers: [{ name: "a" }] }, { containers: [{ name: "a", image: first }] }).images).toHaveLength(
      1,
    );
  });
});

describe("an object that cannot be judged", () => {
  const problem = (name: string, change: (request: Changeable) => void) => {
    const request = changed(name, change);
    expect(request.images).toEqual([]);
    expect(request.skipped).toBeUndefined();
    return request.problem?.code;
  };

  it("is one of an unknown kind", () => {
    const { problem: found } = parse("rollout-create");
    expect(found?.code).toBe("input.malformed");
    // Also of a kind that leads to no pods, such as Secret.
    expect(found?.message).toBe(
      "where an object of argoproj.io/v1alpha1/Rollout (rollouts) would name an image is not known; take rollouts out of the webhook's rules: pods, if it leads to any, are judged themselves",
    );
    expect(problem("pod-create-image-volume", ({ kind }) => (kind.version = "v2"))).toBe("input.malformed");
    expect(problem("pod-create-image-volume", ({ kind }) => (kind.kind = "__proto__"))).toBe("input.malformed");
  });

  it.each<[string, (request: Changeable) => void]>([
    ["without the object", (request) => (request.object = null)],
    ["with a list as the object", (request) => (request.object = [])],
    ["of another kind than the request says", ({ object }) => (object.kind = "Deployment")],
    ["of another version", ({ object }) => (object.apiVersion = "v2")],
    ["without a kind", ({ object }) => delete object.kind],
    ["with a text as spec", ({ object }) => (object.spec = "x")],
    ["with a list as spec", ({ object }) => (object.spec = [])],
    ["with an object as containers", ({ object }) => (object.spec.containers = { 0: object.spec.containers[0] })],
    ["with a number as a container", ({ object }) => (object.spec.initContainers = [1])],
    ["with null as a container", ({ object }) => (object.spec.ephemeralContainers = [null])],
    ["with a number as an image", ({ object }) => (object.spec.containers[0].image = 1)],
    ["with a list as an image", ({ object }) => (object.spec.containers[0].image = ["a"])],
    ["with an empty image", ({ object }) => (object.spec.containers[0].image = "")],
    ["without an image", ({ object }) => delete object.spec.containers[0].image],
    ["with a number as the name of a container", ({ object }) => (object.spec.containers[0].name = 1)],
    ["with an object as volumes", ({ object }) => (object.spec.volumes = {})],
    ["with a text as an image volume", ({ object }) => (object.spec.volumes[0].image = "a")],
    ["with a number as the reference of an image volume", ({ object }) => (object.spec.volumes[0].image.reference = 1)],
    ["without the reference of an image volume", ({ object }) => (object.spec.volumes[0].image = {})],
  ])("is a pod %s", (_, change) => {
    expect(problem("pod-create-image-volume", change)).toBe("input.malformed");
  });

  it.each<[string, (old: Changeable) => void]>([
    ["containers that are no list", (old) => (old.spec.template.spec.containers = "x")],
    ["another kind", (old) => (old.kind = "Pod")],
    ["metadata that are no object", (old) => (old.metadata = 1)],
    ["a time of deletion that is no text", (old) => (old.metadata.deletionTimestamp = true)],
  ])("is an update whose old object has %s", (_, change) => {
    expect(problem("deployment-update-replicas", ({ oldObject }) => change(oldObject))).toBe("input.malformed");
  });

  it("is one with more images than are judged", () => {
    const containers = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ name: `c${i}`, image: `a/b:${i}` }));
    const pod = (count: number) =>
      changed("pod-create-image-volume", ({ object }) => (object.spec = { containers: containers(count) }));
    expect(pod(1000).images).toHaveLength(1000);
    expect(pod(1001).problem?.message).toContain("more than 1000 images");
  });
});

describe("templates", () => {
  it("may have containers and volumes without an image", () => {
    const request = changed("deployment-create", ({ object }) => {
      object.spec.template.spec.initContainers = [{ name: "a" }, { name: "b", image: "" }, { name: "c", image: null }];
      object.spec.template.spec.volumes = [
        { name: "v", image: { pullPolicy: "Always" } },
        { name: "w", image: null },
      ];
      object.spec.template.spec.ephemeralContainers = null;
    });
    expect(request.images.map(({ image }) => image)).toEqual([APP]);
  });

  it.each([
    ["", "v1", "ReplicationController", ["spec", "template", "spec"]],
    ["", "v1", "PodTemplate", ["template", "spec"]],
    ["apps", "v1", "ReplicaSet", ["spec", "template", "spec"]],
    ["apps", "v1", "StatefulSet", ["spec", "template", "spec"]],
    ["apps", "v1", "DaemonSet", ["spec", "template", "spec"]],
    ["batch", "v1", "Job", ["spec", "template", "spec"]],
  ] as const)("are found in %s/%s %s", (group, version, kind, path) => {
    const spec = { containers: [{ name: "a", image: "a.example/b:1" }] };
    const inner = path.toReversed().reduce<Changeable>((value, key) => ({ [key]: value }), spec);
    const request = changed("deployment-create", (all) => {
      all.kind = { group, version, kind };
      all.object = { apiVersion: group === "" ? version : `${group}/${version}`, kind, ...inner };
    });
    expect(request.images).toEqual([{ image: "a.example/b:1", pointer: `/${path.join("/")}/containers/0/image` }]);
  });
});

describe("what is no question of an API server", () => {
  const code = (change: (review: Changeable) => void) =>
    codeOf(() => parseAdmissionReview(changedRequest("pod-create-image-volume", change)));

  it.each<[string, (review: Changeable) => void]>([
    ["v1beta1", (review) => (review.apiVersion = "admission.k8s.io/v1beta1")],
    ["no version", (review) => delete review.apiVersion],
    ["another kind", (review) => (review.kind = "ConversionReview")],
    ["no request", (review) => delete review.request],
    ["a list as request", (review) => (review.request = [])],
    ["no uid", (review) => delete review.request.uid],
    ["an empty uid", (review) => (review.request.uid = "")],
    ["a number as uid", (review) => (review.request.uid = 1)],
    ["a uid that is too long", (review) => (review.request.uid = "a".repeat(129))],
    ["a uid of two lines", (review) => (review.request.uid = "a\nb")],
    ["no operation", (review) => delete review.request.operation],
    ["another operation", (review) => (review.request.operation = "PATCH")],
    ["no kind", (review) => delete review.request.kind],
    ["a text as kind", (review) => (review.request.kind = "Pod")],
    ["a number in the kind", (review) => (review.request.kind.kind = 1)],
    ["no resource", (review) => delete review.request.resource],
    ["a list as subresource", (review) => (review.request.subResource = ["status"])],
    ["a namespace that is none", (review) => (review.request.namespace = "Shop/x")],
    ["a number as namespace", (review) => (review.request.namespace = 1)],
    ["a text as dryRun", (review) => (review.request.dryRun = "false")],
    ["a list as userInfo", (review) => (review.request.userInfo = [])],
  ])("has %s", (_, change) => {
    expect(code(change)).toBe("input.malformed");
  });

  it("is the longest uid still", () => {
    expect(code((review) => (review.request.uid = "a".repeat(128)))).toBe("none");
  });

  it.each([
    ["no JSON", "x"],
    ["a list", "[]"],
    ["null", "null"],
    ["a text", '"a"'],
    ["a key twice", '{"kind":"AdmissionReview","kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}'],
  ])("is %s", (_, text) => {
    expect(codeOf(() => parseAdmissionReview(toUtf8(text)))).toBe("input.malformed");
  });

  it("never puts text into a log that is long or not printable", () => {
    const request = changed("pod-create-image-volume", (all) => {
      all.userInfo.username = `\u001b[31m${"x".repeat(1000)}`;
      all.name = "a\nb";
      delete all.namespace;
    });
    expect(request.user).toMatch(/^\?\[31mx{248}$/);
    expect(request.name).toBe("a?b");
    expect(request.namespace).toBeUndefined();
  });

  it("may have no user, and a name that is yet to be made", () => {
    const request = changed("pod-create-image-volume", (all) => {
      delete all.userInfo;
      delete all.name;
      delete all.dryRun;
    });
    expect([request.user, request.name, request.dryRun]).toEqual(["", undefined, false]);
  });

  it.each([
    [{ name: "web" }, "Pod web"],
    [{ generateName: "web-7d4b9c6f5-" }, "Pod web-7d4b9c6f5-"],
    [{ name: "", generateName: "web-\u001b[31m" }, "Pod web-?[31m"],
    [{ name: 1 }, "Pod without a name"],
    [{ name: "x".repeat(1000) }, `Pod ${"x".repeat(249)}`],
    ["none", "Pod without a name"],
  ])(
    "is about an object that is called by its own metadata %j where the API server names none",
    (metadata, expected) => {
      const request = changed("pod-create-image-volume", (all) => {
        delete all.name;
        all.object.metadata = metadata;
      });
      expect([request.object, request.images.length]).toEqual([expected, 4]);
    },
  );

  it("has nothing to do with fields that are not known", () => {
    const json = { request: { uid: "1" } };
    expect(codeOf(() => parseAdmissionReview(sent({ ...json, apiVersion: "admission.k8s.io/v1" })))).toBe(
      "input.malformed",
    );
    expect(changed("pod-create-image-volume", (all) => (all.future = { images: [] })).images).toHaveLength(4);
  });
});
