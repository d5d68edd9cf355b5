import { describe, expect, it } from "vitest";
import { interleaveFamilies, orAbort } from "../../../../src/io/net/resolve.ts";

describe("interleaveFamilies", () => {
  it.each([
    ["", ""],
    ["1.1.1.1", "1.1.1.1"],
    ["::1 ::2 ::3 1.1.1.1 2.2.2.2", "::1 1.1.1.1 ::2 2.2.2.2 ::3"],
    ["1.1.1.1 ::1 ::2 ::3", "1.1.1.1 ::1 ::2 ::3"],
    ["1.1.1.1 2.2.2.2 3.3.3.3 ::1", "1.1.1.1 ::1 2.2.2.2 3.3.3.3"],
    ["1.1.1.1 2.2.2.2", "1.1.1.1 2.2.2.2"],
  ])("%j becomes %j", (given, expected) => {
    expect(interleaveFamilies(given.split(" ").filter(Boolean)).join(" ")).toBe(expected);
  });
});

describe("orAbort", () => {
  it("settles as the work does", async () => {
    const signal = new AbortController().signal;
    expect(await orAbort(Promise.resolve(1), signal)).toBe(1);
    await expect(orAbort(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  });

  it("does not wait for work that never ends", async () => {
    await expect(orAbort(new Promise(() => {}), AbortSignal.timeout(10))).rejects.toThrow();
    await expect(orAbort(new Promise(() => {}), AbortSignal.abort())).rejects.toThrow();
  });
});
