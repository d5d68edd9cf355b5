import { afterEach, describe, expect, it, vi } from "vitest";
import { requirement } from "./requirement.ts";

describe("requirement", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it("lets a suite run when nothing is missing", () => {
    vi.stubEnv("CI", "true");
    expect(requirement("this", undefined)).toBe(true);
  });

  it("skips it with a word on stderr where something is", () => {
    vi.stubEnv("CI", undefined);
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(requirement("this", undefined, "a thing")).toBe(false);
    expect(stderr.mock.calls.join("")).toMatch(/NOT TESTED: this\n {2}- a thing\n/);
  });

  it("fails instead with CI=true", () => {
    vi.stubEnv("CI", "true");
    expect(() => requirement("this", "a thing")).toThrow("NOT TESTED: this\n  - a thing");
  });
});
