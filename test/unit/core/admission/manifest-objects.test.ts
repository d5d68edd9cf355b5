import { describe, expect, it } from "vitest";
import { manifestObjects } from "../../../../src/core/admission/manifest-objects.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { findImages } from "../../../../src/core/image-lists/find-images.ts";
import { RECORDED_REQUESTS, recordedBytes } from "../../../support/recorded-admission/recorded-request.ts";
import { codeOf, rejectionOf } from "../../../support/rejection.ts";

const POD = `apiVersion: v1
kind: Pod
metadata: { name: web }
spec:
  initContainers: [{ name: i, image: a/init:1 }]
  containers: [{ name: c, image: "a/app:1" }]
  volumes: [{ name: v, image: { reference: a/data:1 } }]
`;
const CRON = `apiVersion: batch/v1
kind: CronJob
spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: c, image: a/job:1 }] } } } } }
`;

const objects = (text: string) => manifestObjects(text, "f.yaml");
const read = (text: string) =>
  objects(text).map(({ line, type, name, images }) => [line, type, name, images?.map(({ image }) => image)]);

describe("the objects of a manifest", () => {
  it("are those of all documents, with the images that admission judges", () => {
    const service = "apiVersion: v1\nkind: Service\nmetadata: { name: s }\n";
    expect(read(`${POD}---\n${CRON}---\n# nothing\n---\n${service}`)).toEqual([
      [1, "v1/Pod", "web", ["a/init:1", "a/app:1", "a/data:1"]],
      [9, "batch/v1/CronJob", undefined, ["a/job:1"]],
      [15, "v1/Service", "s", undefined],
    ]);
    expect(objects(POD)[0]?.images?.map(({ pointer }) => pointer)).toEqual([
      "/spec/initContainers/0/image",
      "/spec/containers/0/image",
      "/spec/volumes/0/image/reference",
    ]);
  });

  it("are those of a List, and of JSON", () => {
    const indented = POD.trimEnd().replaceAll("\n", "\n  ");
    expect(read(`apiVersion: v1\nkind: List\nitems:\n- ${indented}\n`)).toEqual([
      [4, "v1/Pod", "web", ["a/init:1", "a/app:1", "a/data:1"]],
    ]);
    expect(read('{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"a:1"}]}}')[0]?.[3]).toEqual(["a:1"]);
  });

  it("are those of a list of one kind, without what is no object, and of no other field of that name", () => {
    const item = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}';
    const listOf = (kind: string) => `{"apiVersion":"v1","kind":"${kind}","items":[null,${item}]}`;
    expect(read(listOf("PodList"))).toEqual([[1, "v1/Pod", "a", []]]);
    for (const kind of ["Listing", "Pod"]) expect(read(listOf(kind)).map(([, type]) => type)).toEqual([`v1/${kind}`]);
    expect(read('{"apiVersion":"v1","kind":"PodList","items":{}}').map(([, type]) => type)).toEqual(["v1/PodList"]);
    expect(read('{"apiVersion":"v1","kind":"List","items":[{"metadata":{}}]}')).toEqual([
      [1, "/", undefined, undefined],
    ]);
  });

  it("have lines of their own in a List, beside what is no object, and so have their images", () => {
    const item = (name: string, kind: string) =>
      `- apiVersion: v1\n  kind: ${kind}\n  metadata: { name: ${name} }\n  spec:\n    containers:\n    - name: c\n      image: a/${name}:1\n`;
    const text = `apiVersion: v1\nkind: List\nitems:\n${item("one", "Pod")}- null\n${item("two", "Secret")}${item("three", "Pod")}`;
    const lines = objects(text).map(({ name, line, images = [] }) => [name, line, ...images.map((one) => one.line)]);
    expect(lines).toEqual([
      ["one", 4, 10],
      ["two", 12],
      ["three", 19, 25],
    ]);
  });

  it("have the line where verify -f finds an image, also behind an alias and in a volume", () => {
    const text = `apiVersion: v1
kind: Pod
metadata: { annotations: { a: &app "a:1" } }
spec:
  containers:
  - &c
    name: c
    image:
      *app
  initContainers: [*c]
  volumes:
  - name: v
    image:
      reference: a/data:1
`;
    expect(objects(text)[0]?.images?.map(({ line }) => line)).toEqual([8, 8, 13]);
    // It follows an alias once.
    expect(findImages(toUtf8(text), "f.yaml").images.map(({ line }) => line)).toEqual([8, 13]);
  });

  it("have texts by a tag that every reader takes for one", () => {
    for (const tag of ["!!str", "!"]) {
      expect(read(POD.replace('"a/app:1"', `${tag} "1.27"`))[0]?.[3]).toContain("1.27");
    }
  });

  it("follow aliases", () => {
    const text =
      "apiVersion: v1\nkind: Pod\nspec:\n  containers: [&c { name: c, image: a:1 }]\n  initContainers: [*c]\n";
    expect(read(text)[0]?.[3]).toEqual(["a:1", "a:1"]);
  });

  it("name the images that verify -f finds in the same file", () => {
    for (const name of RECORDED_REQUESTS) {
      const { request } = JSON.parse(new TextDecoder().decode(recordedBytes(name))) as {
        request?: { object?: unknown };
      };
      const text = JSON.stringify(request?.object ?? {});
      if (!text.includes('"image"') || text.includes("argoproj")) continue;
      const named = objects(text).flatMap(({ images = [] }) => images.map(({ image }) => image));
      const found = findImages(toUtf8(text), "f.json").images.map((one) => one.text);
      expect(named.toSorted()).toEqual(found.toSorted());
    }
  });

  it.each([
    ["an image that is a number", POD.replace('"a/app:1"', "1.27"), "is a number, expected a text"],
    ["an image that is a boolean", POD.replace('"a/app:1"', "yes"), "is a boolean, expected a text"],
    ["no image in a pod", POD.replace('"a/app:1"', ""), "is empty, expected an image"],
    ["a tag", POD.replace('"a/app:1"', "!!binary YQ=="), "it has a tag"],
    ["a key that is written twice", `${POD}kind: Pod\n`, 'found "kind" twice'],
    ["a merge key", `${POD}<<: { kind: Job }\n`, "no plain text"],
    ["a template", POD.replace('"a/app:1"', "{{ .Values.image }}"), "rendered file"],
    ["a list as a key", `${POD}? [a]\n: b\n`, "no plain text"],
    ["a key with a tag", `${POD}!!str a: b\n`, "no plain text"],
    ["no kind", "apiVersion: v1\n", "without apiVersion and kind"],
    ["no version", "---\nkind: Pod\n", "f.yaml:2: found an object without apiVersion and kind"],
    [
      "an image of an item that is a number",
      `apiVersion: v1\nkind: List\nitems:\n- ${POD.replace('"a/app:1"', "1.27").trimEnd().replaceAll("\n", "\n  ")}\n`,
      "f.yaml:4: v1/Pod.spec.containers[0].image is a number",
    ],
    ["an item whose kind is a number", "apiVersion: v1\nkind: List\nitems:\n- kind: 1\n", "f.yaml:4.kind is a number"],
    ["an alias in itself", `${POD}a: &a [*a]\n`, "inside of what it stands for"],
    ["lists in each other", `${POD}a: ${"[".repeat(1000)}${"]".repeat(1000)}\n`, "without end"],
    ["text", "a", "no object"],
    ["a list", "[]", "no object"],
  ])("are rejected with %s", (_, text, message) => {
    expect(codeOf(() => objects(text))).toBe("input.malformed");
    expect(rejectionOf(() => objects(text)).message).toContain(message);
  });

  it("are rejected, and not followed without end, where aliases are in each other", () => {
    const links = Array.from({ length: 1100 }, (_, i) => `a${i}: &a${i} [${i === 0 ? "" : `*a${i - 1}`}]`);
    expect(codeOf(() => objects("apiVersion: v1\nkind: Pod\nlast: [*x]\n"))).toBe("input.malformed");
    // Each is converted once, in the order of the file.
    expect(read(`${POD}${links.join("\n")}\n`)[0]?.[3]).toHaveLength(3);
  });
});
