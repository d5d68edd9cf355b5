import { describe, expect, it } from "vitest";
import { isCalledByCel } from "../../support/cel.ts";
import { documentsOf } from "../../support/kubernetes-manifests.ts";
import { container, GOOD, places, podOf } from "../../support/pods-with-images.ts";

// When the API server calls the shipped webhooks at all: nothing that brings an image may pass by, and what runs must stay
// changeable while the server is down.

interface Webhook {
  readonly name: string;
  readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
}
const webhooks = ["validating.yaml", "mutating.yaml"].flatMap((file) =>
  documentsOf<{ webhooks: readonly Webhook[] }>(`overlays/webhook/registration/${file}`).flatMap((one) => one.webhooks),
);
const ofPods = webhooks.filter(({ name }) => /^(?:pods|pin)\./.test(name));
const ofWorkloads = webhooks.filter(({ name }) => name.startsWith("workloads."));

const created = (object: object) => ({ object, oldObject: null, request: { operation: "CREATE" } });
const updated = (object: object, oldObject: object) => ({ object, oldObject, request: { operation: "UPDATE" } });
const running = podOf({});
const labelled = { ...running, metadata: { labels: { a: "b" }, finalizers: [] } };
const leaving = { ...running, metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } };

it("are six, of which four ask about pods", () => {
  expect([ofPods.length, ofWorkloads.length]).toEqual([4, 2]);
});

describe.each(ofPods)("$name", ({ matchConditions }) => {
  const isCalled = (inputs: Readonly<Record<string, unknown>>) => isCalledByCel(matchConditions, inputs);

  it("is called for each new pod, one without any list included", () => {
    for (const object of [running, leaving, podOf({ containers: [] }), { kind: "Pod" }, {}])
      expect(isCalled(created(object))).toBe(true);
  });

  it("is not called where labels and other fields change", () => {
    expect(isCalled(updated(labelled, running))).toBe(false);
    expect(isCalled(updated(running, labelled))).toBe(false);
    expect(isCalled(updated(podOf({ activeDeadlineSeconds: 5 }), { ...running, metadata: {} }))).toBe(false);
    for (const spec of Object.values(places("app:v1")))
      expect(isCalled(updated({ ...labelled, ...podOf(spec) }, podOf(spec)))).toBe(false);
  });

  it.each(Object.keys(places()))("is called where an image changes, comes or loses its name in %s", (place) => {
    const having = (image?: string) => podOf(places(image)[place] ?? expect.fail());
    expect(isCalled(updated(having("app:v2"), having("app:v1")))).toBe(true);
    expect(isCalled(updated(having("app:v1"), having()))).toBe(true);
    expect(isCalled(updated(having(), having("app:v1")))).toBe(true);
    expect(isCalled(updated(having("app:v1"), running))).toBe(true);
  });

  it("is called where a container is added, moved or exchanged for one that another place had", () => {
    const two = (...images: readonly string[]) => podOf({ containers: images.map(container) });
    expect(isCalled(updated(two(GOOD, "b"), two(GOOD)))).toBe(true);
    expect(isCalled(updated(two("b", "a"), two("a", "b")))).toBe(true);
    expect(isCalled(updated(podOf({ initContainers: [container("b")] }), two(GOOD, "b")))).toBe(true);
  });

  it("is called where a specification is missing, before or after, and errs nowhere", () => {
    for (const [object, oldObject] of [
      [{ kind: "Pod" }, running],
      [running, { kind: "Pod" }],
      [{}, {}],
      [running, null],
      [null, running],
    ] as [object, object][])
      expect(isCalled(updated(object, oldObject))).toBe(true);
    expect(isCalled(updated(podOf({}), { metadata: {}, spec: {} }))).toBe(true);
  });

  it("is not called for a pod that was being deleted before, and for one that says so itself", () => {
    const changed = podOf({ containers: [container("app:v2")] });
    expect(isCalled(updated(changed, leaving))).toBe(false);
    expect(isCalled(updated({ ...changed, metadata: leaving.metadata }, running))).toBe(true);
  });
});

describe.each(ofWorkloads)("$name", ({ matchConditions }) => {
  const isCalled = (inputs: Readonly<Record<string, unknown>>) => isCalledByCel(matchConditions, inputs);
  const shapes: Readonly<Record<string, (pod: object, rest?: object) => object>> = {
    "a Deployment": (template, rest) => ({ metadata: {}, spec: { replicas: 1, ...rest, template } }),
    "a CronJob": (template, rest) => ({ metadata: {}, spec: { ...rest, jobTemplate: { spec: { template } } } }),
    "a PodTemplate": (template, rest) => ({ metadata: { ...(rest && { labels: rest }) }, template }),
  };

  it.each(Object.entries(shapes))("is called where the pods of %s change, and not where it is scaled", (_, shape) => {
    const changed = podOf({ containers: [container("app:v2")] });
    expect(isCalled(created(shape(running)))).toBe(true);
    expect(isCalled(updated(shape(changed), shape(running)))).toBe(true);
    expect(isCalled(updated(shape(running, { replicas: 5 }), shape(running)))).toBe(false);
    expect(isCalled(updated(shape(changed), { ...shape(running), ...leaving }))).toBe(false);
  });

  it("is called where it cannot find the pods, and errs nowhere", () => {
    expect(isCalled(updated({ spec: { replicas: 2 } }, { spec: { replicas: 1 } }))).toBe(true);
    expect(isCalled(updated({ metadata: {} }, shapes["a CronJob"]?.(running) ?? {}))).toBe(true);
    expect(isCalled(created({}))).toBe(true);
  });
});
