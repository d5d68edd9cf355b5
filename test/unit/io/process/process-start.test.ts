import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { ageBy, processAge, startOf } from "../../../../src/io/process/process-start.ts";

describe("when a process started", () => {
  it("is the same at each look, and later for one that was started later", async () => {
    const own = startOf(process.pid);
    expect(own).toMatch(/^[0-9]+$/);
    expect(startOf(process.pid)).toBe(own);
    const child = spawn("/bin/sleep", ["60"], { stdio: "ignore" });
    try {
      expect(Number(startOf(child.pid ?? 0))).toBeGreaterThanOrEqual(Number(own));
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    expect(startOf(child.pid ?? 0)).toBeUndefined();
  });
});

describe("the age of this process", () => {
  it("is what the kernel says, or what its own clock says", () => {
    const before = performance.now();
    expect(processAge()).toBeGreaterThanOrEqual(before);
  });

  // A machine that has been running for 1000 s.
  it.each<[string, string | undefined, number, number]>([
    ["is the kernel's where that is longer", "99000", 20, 10_000],
    ["is its own where the kernel's is shorter, being rounded", "100000", 4, 4],
    ["is its own where the process is older than a minute: it was a shell", "93999", 20, 20],
    ["is the kernel's up to a minute", "94001", 20, 59_990],
    ["is its own where the machine's clock is another's, as in a container", "100000000", 20, 20],
    ["is its own where the kernel does not say", undefined, 20, 20],
  ])("%s", (_, start, own, age) => {
    expect(ageBy(start, 1000, own)).toBe(age);
  });

  it("is its own where it is not known how long the machine has been running", () => {
    expect(ageBy("1", Number.NaN, 20)).toBe(20);
  });
});
