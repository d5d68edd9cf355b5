import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { findImages } from "../../../../src/core/image-lists/find-images.ts";

const SCHEMA = "{properties: {image: {type: string, description: an image}}}";
const DEFINITION = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  versions:
    - {name: v1, schema: {openAPIV3Schema: ${SCHEMA}}}
    - {name: v2, schema: {openAPIV3Schema: ${SCHEMA}}}
`;
const POD = "---\nimage: a:1\n";

const read = (text: string) => findImages(toUtf8(text), "a.yaml");

describe("the status of a Pod", () => {
  const pod = (more = "") =>
    `apiVersion: v1\nkind: Pod\n${more}spec: {containers: [{image: a:1}]}\nstatus: {containerStatuses: [{image: "sha256:0"}]}\n`;

  it("is passed over and counted, in a List too", () => {
    expect(read(pod())).toMatchObject({ images: [{ text: "a:1" }], passedOver: { statuses: 1 } });
    const list = read(`apiVersion: v1\nkind: List\nitems:\n- ${pod().trimEnd().replaceAll("\n", "\n  ")}\n`);
    expect(list).toMatchObject({ images: [{ text: "a:1" }], passedOver: { statuses: 1 } });
  });

  it("is not passed over where it is not certainly a Pod's", () => {
    for (const text of [pod().replace("v1", "v2"), pod("kind: X\n"), pod().replace("Pod", "Set")])
      expect(read(text).images.map((one) => one.text)).toEqual(["a:1", "sha256:0"]);
  });
});

describe("schemas of CustomResourceDefinitions", () => {
  it("are passed over and counted", () => {
    const { images, passedOver } = read(`${DEFINITION}${POD}`);
    expect(images.map(({ text }) => text)).toEqual(["a:1"]);
    expect(passedOver.schemas).toBe(2);
  });

  it("are passed over in v1beta1 and in a List", () => {
    const old = `apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\nspec: {validation: {openAPIV3Schema: ${SCHEMA}}}\n`;
    expect(read(`${old}${POD}`).passedOver.schemas).toBe(1);
    const item = DEFINITION.trimEnd().replaceAll("\n", "\n  ");
    const list = read(`apiVersion: v1\nkind: List\nitems:\n- ${item}\n- image: a:1\n`);
    expect(list.images).toHaveLength(1);
    expect(list.passedOver.schemas).toBe(2);
  });

  // A cluster or an operator could see something else in each of them.
  it.each([
    ["a second kind", `${DEFINITION}kind: Pod\n`],
    ["a second version", `apiVersion: v1\n${DEFINITION}`],
    ["merged keys", `${DEFINITION}<<: {kind: Pod}\n`],
    ["a key with a tag", `${DEFINITION}!!binary a2luZA==: Pod\n`],
    ["a value with a tag", DEFINITION.replace("kind: ", "kind: !x ")],
    ["another group", DEFINITION.replace("apiextensions", "example")],
    ["another kind", DEFINITION.replace("kind: Custom", "kind: MyCustom")],
    ["a definition inside a custom resource", `kind: X\nspec:\n  ${DEFINITION.replaceAll("\n", "\n  ")}\n`],
    ["another place", DEFINITION.replaceAll("openAPIV3Schema", "other")],
    [
      "a list of a custom kind",
      `apiVersion: x/v1\nkind: List\nitems:\n- ${DEFINITION.trimEnd().replaceAll("\n", "\n  ")}\n`,
    ],
  ])("are not passed over with %s", (_, text) => {
    const { images, passedOver } = read(`${text}${POD}`);
    expect(images.some(({ problem }) => problem !== undefined)).toBe(true);
    expect(passedOver.schemas).toBe(0);
  });

  it("hide nothing that an alias outside of them stands for", () => {
    const text = DEFINITION.replace("{type: string", "&x {image: evil:1, type: string");
    expect(read(`${text}other: *x\n`).images.map((image) => image.text)).toContain("evil:1");
  });
});
