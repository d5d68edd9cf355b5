import { describe, expect, it } from "vitest";
import type { GateName } from "../../../../src/core/config/server-settings.ts";
import { GateQueue } from "../../../../src/frontends/server/gate-queue.ts";

/** Asks so often, with work that never ends. @returns how many were turned away */
async function ask(queue: GateQueue, gate: GateName, times: number, namespace?: string): Promise<number> {
  let turnedAway = 0;
  for (let i = 0; i < times; i++) {
    void queue.run({ gate, namespace }, 60_000, () => new Promise<never>(() => {})).then(() => turnedAway++);
  }
  for (let i = 0; i < 10; i++) await Promise.resolve();
  return turnedAway;
}

describe("the queue of the gates", () => {
  it("turns away at once what a gate may neither start nor have wait", async () => {
    const queue = new GateQueue();
    expect(await ask(queue, "verify", 64 + 128)).toBe(0);
    expect(queue.of("verify")).toEqual({ running: 64, waiting: 128 });
    expect(await ask(queue, "verify", 1)).toBe(1);
  });

  it("keeps places for the API server, whatever the other gates are asked", async () => {
    const queue = new GateQueue();
    for (const gate of ["verify", "gatekeeper", "metrics", "health"] as const) await ask(queue, gate, 1000);
    expect(await ask(queue, "admit", 64 + 640, "shop")).toBe(0);
    expect(await ask(queue, "admit", 64 + 128, "other")).toBe(0);
    expect(queue.of("admit")).toEqual({ running: 128, waiting: 768 });
    expect(await ask(queue, "mutate", 1)).toBe(1);
  });

  it("keeps places for the other namespaces, whatever one asks", async () => {
    const queue = new GateQueue();
    expect(await ask(queue, "admit", 64 + 640, "slow")).toBe(0);
    expect(await ask(queue, "admit", 1, "slow")).toBe(1);
    await ask(queue, "mutate", 64, "slow");
    expect(await queue.run({ gate: "admit", namespace: "shop" }, 30, () => Promise.resolve("done"))).toBe("done");
    expect(queue.of("admit")).toEqual({ running: 64, waiting: 640 });
  });

  it("tells the work how long it waited, and turns away what waits until its deadline", async () => {
    const queue = new GateQueue();
    await ask(queue, "verify", 64);
    const began = performance.now();
    expect(await queue.run({ gate: "verify" }, 30, () => Promise.resolve("done"))).toBeUndefined();
    expect(performance.now() - began).toBeGreaterThanOrEqual(29);
    expect(await queue.run({ gate: "admit" }, 30, (waited) => Promise.resolve(waited < 30))).toBe(true);
  });
});
