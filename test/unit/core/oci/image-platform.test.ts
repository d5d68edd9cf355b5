import { describe, expect, it } from "vitest";
import { parsePlatform, platformOf } from "../../../../src/core/oci/image-platform.ts";
import { codeOf } from "../../../support/rejection.ts";

describe("parsePlatform", () => {
  it.each([
    ["linux/amd64", "linux/amd64"],
    ["Linux/AMD64", "linux/amd64"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/v6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["windows/amd64", "windows/amd64"],
  ])("%s is %s", (text, expected) => {
    expect(parsePlatform(text)).toBe(expected);
  });

  it.each(["", "linux", "linux/", "/amd64", "linux/amd64/v2/x", "linux/amd 64", "linux amd64", "linux/amd64/", "all"])(
    "refuses %j",
    (text) => {
      expect(codeOf(() => parsePlatform(text))).toBe("input.malformed");
    },
  );
});

describe("platformOf", () => {
  it.each([
    [{ os: "linux", architecture: "arm64", variant: "v8" }, "linux/arm64"],
    [{ os: "linux", architecture: "arm64" }, "linux/arm64"],
    [{ os: "linux", architecture: "arm", variant: "v7" }, "linux/arm/v7"],
    [{ os: "linux", architecture: "arm" }, "linux/arm/v7"],
    [{ os: "unknown", architecture: "unknown" }, "unknown/unknown"],
    [{ os: "linux" }, undefined],
    [{ architecture: "amd64" }, undefined],
    [{ os: "linux", architecture: 1 }, undefined],
    [{ os: "linux", architecture: "amd64\n::error::" }, undefined],
    [{ os: "x".repeat(33), architecture: "amd64" }, undefined],
  ])("%j is %s", (platform, expected) => {
    expect(platformOf(platform)).toBe(expected);
  });
});
