import { describe, expect, it } from "vitest";
import { isIndexType, readIndex } from "../../../../src/core/oci/image-index.ts";
import { codeOf } from "../../../support/rejection.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const TYPE = "application/vnd.oci.image.manifest.v1+json";
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const index = (...manifests: readonly unknown[]) => readIndex(bytes({ manifests }));
const child = (digit: string, platform?: unknown) => ({
  digest: digest(digit),
  mediaType: TYPE,
  ...(platform !== undefined && { platform }),
});

describe("readIndex", () => {
  it("lists images with their platforms, in the index's order", () => {
    const [amd, arm] = [
      { os: "linux", architecture: "amd64" },
      { os: "linux", architecture: "arm64", variant: "v8" },
    ];
    expect(index(child("b", arm), child("a", amd))).toEqual([
      { digest: digest("b"), mediaType: TYPE, platform: "linux/arm64" },
      { digest: digest("a"), mediaType: TYPE, platform: "linux/amd64" },
    ]);
  });

  it("leaves out attestations and what has no sha256 digest, and nothing else", () => {
    const attestation = child("c", { os: "unknown", architecture: "unknown" });
    const found = index(null, "text", { digest: "sha512:00" }, attestation, child("a"), child("b", { os: "<b>" }));
    expect(found).toEqual([
      { digest: digest("a"), mediaType: TYPE },
      { digest: digest("b"), mediaType: TYPE },
    ]);
  });

  it.each([
    ["no JSON", "{"],
    ["no list", { manifests: {} }],
    ["a single image", { schemaVersion: 2, config: {}, layers: [] }],
    ["another kind of value", []],
    ["too many", { manifests: Array.from({ length: 1001 }, () => child("a")) }],
  ])("refuses %s", (_, value) => {
    expect(codeOf(() => readIndex(bytes(value)))).toBe("registry.bad_response");
  });

  it("reads as many as the bound allows", () => {
    expect(index(...Array.from({ length: 1000 }, () => child("a")))).toHaveLength(1000);
  });
});

describe("isIndexType", () => {
  it.each([
    ["application/vnd.oci.image.index.v1+json", true],
    ["application/vnd.docker.distribution.manifest.list.v2+json", true],
    [TYPE, false],
    ["", false],
  ])("%s: %s", (type, expected) => {
    expect(isIndexType(type)).toBe(expected);
  });
});
