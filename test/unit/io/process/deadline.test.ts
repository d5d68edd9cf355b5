import { describe, expect, it } from "vitest";
import { Deadline } from "../../../../src/io/process/deadline.ts";

describe("Deadline", () => {
  it("counts down to zero and not below", () => {
    expect(new Deadline(performance.now() + 1000).remaining()).toBeGreaterThan(900);
    expect(new Deadline(performance.now() - 1000).remaining()).toBe(0);
  });

  it("names what has been started and not ended, oldest first and once", async () => {
    const deadline = new Deadline(1000);
    const ends: (() => void)[] = [];
    const wait = () => new Promise<void>((resolve) => ends.push(resolve));
    const work = ["registry a", "PDS b", "PDS b"].map((what) => deadline.track(what, wait));
    expect(deadline.waitingFor()).toEqual(["registry a", "PDS b"]);
    ends[0]?.();
    await work[0];
    expect(deadline.waitingFor()).toEqual(["PDS b"]);
    ends[1]?.();
    ends[2]?.();
    await Promise.all(work);
    expect(deadline.waitingFor()).toEqual([]);
  });

  it("hands results and errors on, and forgets what failed", async () => {
    const deadline = new Deadline(1000);
    expect(await deadline.track("a", () => Promise.resolve(7))).toBe(7);
    await expect(deadline.track("b", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(deadline.waitingFor()).toEqual([]);
  });
});
