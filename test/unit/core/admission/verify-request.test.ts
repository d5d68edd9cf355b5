import { describe, expect, it } from "vitest";
import { parseVerifyRequest } from "../../../../src/core/admission/verify-request.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { digestOf } from "../../../support/image-results.ts";
import {
  type Changeable,
  changedRequest,
  recordedBytes,
  sent,
} from "../../../support/recorded-admission/recorded-request.ts";
import { codeOf, rejectionOf } from "../../../support/rejection.ts";

const parse = (json: unknown) => parseVerifyRequest(sent(json));

describe("a list of images", () => {
  it("is JSON", () => {
    expect(codeOf(() => parseVerifyRequest(toUtf8("{")))).toBe("input.malformed");
  });

  it("is read, each once", () => {
    expect(parse({ images: ["a", "b", "a"] })).toEqual(["a", "b"]);
  });

  it.each([
    ["a text", { images: "a" }],
    ["a number in it", { images: ["a", 1] }],
    ["null in its place", { images: null }],
    ["no key", {}],
    ["another key", { images: ["a"], policy: "staging" }],
    ["a list alone", ["a"]],
    ["null alone", null],
    ["too many images", { images: Array(1001).fill("a") }],
  ])("is not %s", (_, json) => {
    expect(codeOf(() => parse(json))).toBe("input.malformed");
  });

  it("names an image at least", () => {
    expect(codeOf(() => parse({ images: [] }))).toBe("input.no_images");
    expect(codeOf(() => parse({ images: {} }))).toBe("input.no_images");
    expect(codeOf(() => parse({ images: { containers: {}, initContainers: null } }))).toBe("input.no_images");
  });
});

describe("Kyverno's images", () => {
  const changed = (change: (images: Changeable) => void) =>
    parseVerifyRequest(changedRequest("kyverno-images", ({ images }: Changeable) => change(images)));

  it("are put together as they are written in the pod", () => {
    expect(parseVerifyRequest(recordedBytes("kyverno-images"))).toEqual([
      `atcr.io/alice.example.com/app:v1@${digestOf("a1")}`,
      "docker.io/library/nginx:1.27",
      "ghcr.io/migrate:latest",
      `registry.example:5000/team/debug@${digestOf("a1")}`,
    ]);
  });

  it("have library/ as it is where more is around it", () => {
    for (const path of ["library/team/migrate", "team/library/migrate"]) {
      const found = changed(({ initContainers }) => {
        Object.assign(initContainers.migrate, { path, referenceWithTag: undefined });
      })[2];
      expect(found).toBe(`ghcr.io/${path}:latest`);
    }
  });

  it("have library/ where the pod has it", () => {
    const written = (reference: string | undefined, more: Changeable = {}) =>
      changed(({ initContainers }) => {
        Object.assign(initContainers.migrate, { referenceWithTag: reference }, more);
      })[2];
    expect(written("ghcr.io/library/migrate:latest")).toBe("ghcr.io/library/migrate:latest");
    // Kyverno leaves the tag empty where there is only a digest.
    const digest = { tag: undefined, digest: digestOf("a1") };
    expect(written("ghcr.io/migrate:", digest)).toBe(`ghcr.io/migrate@${digestOf("a1")}`);
    for (const unclear of [undefined, "ghcr.io/migrate:v1", "ghcr.io/other:latest", "docker.io/migrate:latest", ""]) {
      expect(rejectionOf(() => written(unclear)).message).toContain("send images as a list");
    }
  });

  it.each<[string, (images: Changeable) => void]>([
    ["a list that is not known", (images) => (images.volumes = {})],
    ["a list in its place", (images) => (images.containers = [])],
    ["a text as a container", ({ containers }) => (containers.web = "a")],
    ["null as a container", ({ containers }) => (containers.web = null)],
    ["no registry", ({ containers }) => delete containers.web.registry],
    ["no path", ({ containers }) => (containers.web.path = "")],
    ["a number as a tag", ({ containers }) => (containers.web.tag = 1)],
    ["a registry with a path", ({ containers }) => (containers.web.registry = "atcr.io/other")],
    ["a path with a tag", ({ containers }) => (containers.web.path = "alice.example.com/app:v2")],
    ["a path with a digest", ({ containers }) => (containers.web.path = "alice.example.com/app@sha256")],
    ["a tag with a digest", ({ containers }) => (containers.web.tag = "v1@sha256")],
    ["a tag with a path", ({ containers }) => (containers.web.tag = "v1/x")],
    ["a digest with a path", ({ containers }) => (containers.web.digest = "sha256:a/b")],
  ])("are refused with %s", (_, change) => {
    expect(codeOf(() => changed(change))).toBe("input.malformed");
  });

  it("are no more than are judged", () => {
    const images = (count: number) => {
      const entry = { registry: "a.example", path: "b/c", tag: "1" };
      return { images: { containers: Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, entry])) } };
    };
    expect(parse(images(1000))).toEqual(["a.example/b/c:1"]);
    expect(codeOf(() => parse(images(1001)))).toBe("input.malformed");
  });
});
