import { describe, expect, it } from "vitest";
import { platformOf } from "../../../../src/core/oci/image-platform.ts";

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
