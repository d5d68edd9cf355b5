// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the files that are read
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { findImages } from "../../../../src/core/image-lists/find-images.ts";
import { codeOf } from "../../../support/rejection.ts";

function read(text: string) {
  return findImages(toUtf8(text), "a.yaml");
}

function found(text: string): string[] {
  return read(text).images.map(({ text: image, line, kind, problem }) => {
    return `${line} ${kind} ${image}${problem === undefined ? "" : " !"}`;
  });
}

const codeFor = (text: string): string => codeOf(() => read(text));

/** Only the texts; for what is composed of parts. */
const texts = (text: string): string[] => found(text).map((one) => one.replace(/^\d+ [a-zA-Z ]+? (?=\S)/, ""));

const POD = `apiVersion: v1
kind: Pod
spec:
  initContainers: [{name: a, image: a/init:1}]
  containers:
    - image: a/b:1
      name: b
  volumes:
    - name: v
      image:
        reference: a/volume:1
        pullPolicy: Always
`;

describe("findInYaml", () => {
  it("finds the images of containers, init containers and image volumes", () => {
    expect(found(POD)).toEqual(["4 manifest a/init:1", "6 manifest a/b:1", "10 image volume a/volume:1"]);
  });

  it("finds them in every document, in lists of resources, in custom resources, and in JSON", () => {
    expect(found(`${POD}---\n# Source: x\n${POD}`)).toHaveLength(6);
    expect(found("apiVersion: v1\nkind: List\nitems:\n- {kind: Pod, spec: {image: a/b:1}}\n")).toEqual([
      "4 manifest a/b:1",
    ]);
    expect(found("apiVersion: x/v1\nkind: Db\nspec: {a: [[{b: {image: a/b:1}}]]}\n")).toEqual(["3 manifest a/b:1"]);
    expect(found('{\n\t"a": [{"\\u0069mage":\n"a\\/b:1"}]}')).toEqual(["2 YAML a/b:1"]);
  });

  it("finds those of compose, also of a service that is built", () => {
    expect(found("services:\n  web: {image: a/b:1}\n  own: {build: ., image: 'a/c:1'}\n")).toEqual([
      "2 compose a/b:1",
      "3 compose a/c:1",
    ]);
    expect(found(`services:\n  web: {image: 'a/b:\${TAG:-1}'}\n  two: {image: $X}\n`)).toEqual([
      "2 compose a/b:${TAG:-1} !",
      "3 compose $X !",
    ]);
  });

  it("composes the images of a chart's values", () => {
    expect(found("image: {registry: r.example, repository: a/b, tag: v1, pullPolicy: Always}\n")).toEqual([
      "1 values r.example/a/b:v1",
    ]);
    expect(texts("image: {repository: a/b, tag: '', digest: 'sha256:0a'}")).toEqual(["a/b@sha256:0a"]);
    expect(texts("image: {registry: null, repository: a/b, tag: v1, sha: 0a}")).toEqual(["a/b:v1@sha256:0a"]);
    expect(texts("image: {repository: a/b:v1}")).toEqual(["a/b:v1"]);
    expect(texts("image: {name: ruby, entrypoint: ['']}")).toEqual(["ruby"]);
    expect(texts("image:\n  web: {repository: a/b, tag: v1}\n  pullPolicy: x\n  db: c:1\n")).toEqual(["a/b:v1", "c:1"]);
    expect(texts("image: [a:1, {repository: b, tag: v2}]")).toEqual(["a:1", "b:v2"]);
    expect(texts("image: {repository: a, tag: v1, exporter: {image: b:1}}")).toEqual(["a:v1", "b:1"]);
  });

  it.each([
    "{repository: a/b}",
    "{repository: a/b, tag: ''}",
    "{tag: v1}",
    "{registry: r.example, tag: v1}",
    "{repository: a, name: b, tag: v1}",
    "{reference: a:1, tag: v2}",
    "{repository: a, tag: v1, digest: 'sha256:0a', sha: 0b}",
    "{repository: a, tag: {b: c}}",
    "{repository: [a], tag: v1}",
    "{repository: a, tag: '{{ .x }}'}",
    "{repository: a, tag: {{ .x }}}",
    "{enabled: true}",
    "{}",
    "[]",
    "",
    "''",
    "~",
    "null",
    "'{{ .Values.image }}'",
    "{{ .Values.image }}",
    "a/b:{{ .Values.tag }}",
    "${IMAGE}",
    "$IMAGE",
    "true",
    "1.0",
    "0x10",
    "12:30",
    "!x a:1",
    "!!binary YTox",
    "{repository: a, tag: !!binary djE=}",
  ])("marks what is not certainly one image, and never skips it: image: %s", (value) => {
    const all = found(`a: 1\nimage: ${value}\nb: {image: c:1}\n`);
    expect(all.filter((one) => one.endsWith("!"))).toHaveLength(1);
    expect(all).toContain("3 YAML c:1");
  });

  it("counts a map that says only how to pull", () => {
    const { images, passedOver } = read("image: {pullPolicy: Always, pullSecrets: [a]}\nb: {image: c:1}");
    expect(images).toHaveLength(1);
    expect(passedOver.pullSettings).toBe(1);
  });

  it.each([
    ["1.27", true],
    ["7", true],
    ["999999", true],
    ["2024-01-01", true],
    ["v1", true],
    ["1.2.3", true],
    ["0f3a9c1", true],
    ["'1.10'", true],
    ["!!str 1.10", true],
    ["1.10", false],
    ["1000000", false],
    ["012", false],
    ["1_000", false],
    ["1e5", false],
    ["12345e7", false],
    ["0o17", false],
    [".5", false],
    ["+1", false],
    ["yes", false],
    ["Off", false],
    ["n", false],
    ["1:30", false],
    [".inf", false],
  ])("knows whether every program has the same text for the tag %s", (tag, isCertain) => {
    const [image] = read(`image: {repository: a, tag: ${tag}}`).images;
    expect(image?.problem === undefined).toBe(isCertain);
  });

  it("looks at every value of a key that is written more than once", () => {
    expect(texts("image: a:1\nimage: b:1\n")).toEqual(["a:1", "b:1"]);
    expect(texts('{"spec": {"image": "a:1"}, "spec": {"image": "b:1"}}')).toEqual(["a:1", "b:1"]);
    expect(texts("image: {repository: a, tag: v1, tag: v2}")).toEqual(["v1 !"]);
    expect(texts("image: {repository: a, tag: v1, tag: v1}")).toEqual(["a:v1"]);
  });

  it("follows aliases and merge keys", () => {
    expect(found("x: &x a:1\ny:\n  image: *x\n")).toEqual(["3 YAML a:1"]);
    expect(found("k: &k image\n? *k\n: a:1\n")).toEqual(["2 YAML a:1"]);
    expect(found("x: &x {image: a:1}\ny: {<<: *x, b: c}\n")).toEqual(["1 YAML a:1"]);
    expect(texts("x: &x {repository: a, tag: v1}\nimage: *x\n")).toEqual(["a:v1"]);
    expect(texts("x: &x {repository: a, tag: v1}\nimage: {<<: *x, tag: v2}\n")).toEqual(["a:v2"]);
    expect(texts("x: &x {repository: a}\ny: &y {tag: v1}\nimage: {<<: [*x, *y]}\n")).toEqual(["a:v1"]);
  });

  it("marks an image whose parts are merged in behind the same key, of which programs take different ones", () => {
    expect(texts("x: &x {repository: a, tag: v1}\nimage: {tag: v2, <<: *x}\n")).toEqual(["v2 !"]);
    expect(texts("x: &x {repository: a, tag: v1}\nimage: {<<: *x, tag: v2, <<: *x}\n")).toEqual(["v2 !"]);
    expect(texts("x: &x {tag: v1}\ny: &y {tag: v2}\nimage: {repository: a, <<: [*x, *y]}\n")).toEqual(["v1 !"]);
  });

  it("looks at other text of an image's map that a program could take for the image", () => {
    expect(texts("image: {repository: a, tag: v1, uri: b/c:1}")).toEqual(["b/c:1", "a:v1"]);
    expect(texts("image: {repository: a, tag: v1, platform: linux/amd64, shell: /bin/sh}")).toEqual(["a:v1"]);
  });

  it("marks a key with a tag, which some programs decode to image", () => {
    expect(found("!!binary aW1hZ2U=: a:1\nb: {image: c:1}\n")).toEqual(["1 YAML a:1 !", "2 YAML c:1"]);
    expect(found("!!str image: a:1\n")).toEqual(["1 YAML a:1"]);
  });

  it("looks into maps and lists that are keys", () => {
    expect(found("? {image: a:1}\n: {image: b:1}\n? [{image: c:1}]\n")).toHaveLength(3);
  });

  it("does not see text: a block in a ConfigMap, arguments, the environment", () => {
    expect(
      codeFor(
        'kind: ConfigMap\ndata:\n  a: |\n    image: a:1\nargs: ["--image=a:1"]\nenv: [{name: IMAGE, value: "a:1"}]\n',
      ),
    ).toBe("input.no_images");
  });

  it.each([
    ["what is no YAML", "a: b: c\nimage: a:1\n"],
    ["a template", "{{- if .x }}\nimage: a:1\n{{- end }}\n"],
    ["an alias of nothing", "image: *x\n"],
    ["an alias inside of what it stands for", "a: &a [*a]\nimage: a:1\n"],
    ["a line of dashes that continues, which kubectl drops", '--- "\nkind: Pod\nimage: evil\n# "\n'],
    ["a line of dashes in a quote, where kubectl begins a document", 'a: "\n---b\nimage: evil\n"\nc: {image: a:1}\n'],
    ["%TAG", "%TAG ! tag:yaml.org,2002:\n---\nimage: a:1\n"],
    ["an error in a later document", "image: a:1\n---\n[\n"],
    // The library leaves these out without an error.
    ["a value without : before it", "image: a/b:1\n---\n? x\n- image: c/d:1\n"],
    ["one of a map in a list", "image: a/b:1\n---\n- ? x\n  - image: c/d:1\n"],
    ["one with the rest of the file", 'image: a/b:1\n---\n? x\n- "\n---\nimage: c/d:1\n'],
  ])("rejects %s", (_, text) => {
    expect(codeFor(text)).toBe("input.malformed");
  });

  it("names the line of a mistake", () => {
    expect(() => read("a: 1\n\nb: [\n")).toThrow(/^a\.yaml:[34]: /);
    expect(() => read("a: 1\n---x\n")).toThrow(/^a\.yaml:2: /);
    expect(() => read("image: a\n{{- if .b }}\nc: d\n{{- end }}\n")).toThrow(/helm template CHART/);
  });
});

describe("bounds on foreign YAML", () => {
  it("looks once at what aliases repeat (billion laughs)", () => {
    const levels = Array.from({ length: 60 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}*l${i}]`);
    const text = `l0: &l0 {image: a:1}\n${levels.join("\n")}\nimage: *l60\n`;
    expect(read(text).images.length).toBeLessThan(100);
  });

  it("looks once at what merges multiply, and rejects many or deep ones", () => {
    const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} {<<: [${`*l${i}, `.repeat(9)}*l${i}]}`);
    const laughs = `l0: &l0 {repository: a, tag: v1}\n${levels.join("\n")}\nimage: *l12\n`;
    expect(texts(laughs)).toEqual(["a:v1"]);
    const chain = Array.from({ length: 100 }, (_, i) => `l${i + 1}: &l${i + 1} {<<: *l${i}}`);
    expect(codeFor(`l0: &l0 {tag: v1}\n${chain.join("\n")}\nimage: *l100\n`)).toBe("input.malformed");
    const wide = `x: &x {${Array.from({ length: 300 }, (_, i) => `k${i}: v`).join(", ")}}\n`;
    expect(codeFor(`${wide}a:\n${"- image: {<<: *x, name: b}\n".repeat(400)}`)).toBe("input.malformed");
  });

  it.each([
    ["brackets", "[".repeat(1_000_000)],
    ["braces", "{a: ".repeat(250_000)],
    ["dashes", "- ".repeat(250_000)],
    ["questions", "? ".repeat(250_000)],
    ["lines", Array.from({ length: 2000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
    [
      "a chain of aliases",
      `a0: &a0 [b]\n${Array.from({ length: 5000 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]`).join("\n")}\nimage: *a5000\n`,
    ],
    ["more structure than is parsed in time", "a: b\n".repeat(300_000)],
  ])("rejects %s without end", (_, text) => {
    expect(codeFor(`image: a:1\nb:\n ${text}`.replace(/^image: a:1\nb:\n (?=a)/, ""))).toBe("input.malformed");
  });

  it("stops at the place where lists and maps lie too deep", () => {
    const text = `image: a:1\nb:\n  ${"- ".repeat(10_000)}c\n`;
    expect(() => read(text)).toThrow(/inside each other/);
  });

  it("reads one line of 8 MiB, and a whole pod's schema", () => {
    expect(found(`a: ${"b".repeat(8 * 1024 * 1024)}\nimage: c:1\n`)).toEqual(["2 YAML c:1"]);
    const deep = Array.from({ length: 40 }, (_, i) => `${"  ".repeat(i)}properties:`).join("\n");
    expect(found(`${deep}\n${"  ".repeat(41)}image: a:1\n`)).toHaveLength(1);
  });
});
