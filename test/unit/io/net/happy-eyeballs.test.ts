import { afterEach, describe, expect, it, vi } from "vitest";
import { firstAnswer } from "../../../../src/io/net/happy-eyeballs.ts";

/** What each address does: answers or fails after so many milliseconds; never, where it is absent. */
type Plan = Record<string, { answers?: number; fails?: number }>;

async function attempt(plan: Plan, time: number, options: { addresses?: string[]; signal?: AbortSignal } = {}) {
  const log: string[] = [];
  const signals = new Map<string, AbortSignal>();
  const open = (address: string, signal: AbortSignal): Promise<string> => {
    log.push(address);
    signals.set(address, signal);
    const { answers, fails } = plan[address] ?? {};
    return new Promise((resolve, reject) => {
      if (answers !== undefined) setTimeout(() => resolve(`from ${address}`), answers);
      if (fails !== undefined) setTimeout(() => reject(new Error(`no ${address}`)), fails);
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  };
  const signal = options.signal ?? AbortSignal.timeout(time);
  const outcome = await firstAnswer(options.addresses ?? Object.keys(plan), open, time, signal);
  return { outcome, log, signals };
}

/** What comes of attempts that all end at once, while no timer ever fires. */
async function withoutTime(addresses: readonly string[], answering: readonly string[]) {
  vi.useFakeTimers();
  const log: string[] = [];
  const open = async (address: string): Promise<string> => {
    log.push(address);
    if (!answering.includes(address)) throw new Error(`no ${address}`);
    return `from ${address}`;
  };
  return { outcome: await firstAnswer(addresses, open, 5_000, new AbortController().signal), log };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("firstAnswer", () => {
  it("asks one address after the other, each as soon as the one before it failed", async () => {
    expect(await withoutTime(["a", "b", "c"], ["c"])).toEqual({
      outcome: { answer: "from c", address: "c" },
      log: ["a", "b", "c"],
    });
  });

  it("asks no second address where the first answers", async () => {
    const { log } = await attempt({ a: { answers: 20 }, b: { answers: 0 } }, 5_000);
    expect(log).toEqual(["a"]);
  });

  it("passes by an address that is silent", async () => {
    const { outcome, signals } = await attempt({ a: {}, b: { answers: 5 } }, 5_000);
    expect(outcome).toEqual({ answer: "from b", address: "b" });
    expect(signals.get("a")?.aborted).toBe(true);
    expect(signals.get("b")?.aborted).toBe(false);
  });

  it("does not let a second answer take the first one's place", async () => {
    const controllers: AbortSignal[] = [];
    const open = (address: string, signal: AbortSignal): Promise<string> => {
      controllers.push(signal);
      return new Promise((resolve) => setTimeout(() => resolve(address), address === "a" ? 60 : 10));
    };
    const outcome = await firstAnswer(["a", "b"], open, 40, new AbortController().signal);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(outcome).toEqual({ answer: "b", address: "b" });
    expect(controllers.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  it("shares a short time among the addresses", async () => {
    const { outcome } = await attempt({ a: {}, b: {}, c: {}, d: { answers: 5 } }, 800);
    expect(outcome).toEqual({ answer: "from d", address: "d" });
  });

  it("does not cut off a slow address because there is a second one", async () => {
    const { outcome, log } = await attempt({ a: { answers: 700 }, b: { fails: 0 } }, 1_200);
    expect(log).toEqual(["a", "b"]);
    expect(outcome).toEqual({ answer: "from a", address: "a" });
  });

  it("says of each address how it ended", async () => {
    const { outcome } = await attempt({ a: { fails: 5 }, b: {}, c: { fails: 10 } }, 700);
    const [a, b, c] = "failed" in outcome ? outcome.failed : [];
    expect(a).toEqual({ address: "a", error: new Error("no a") });
    expect(b).toEqual({ address: "b" });
    expect(c).toEqual({ address: "c", error: new Error("no c") });
  });

  it("ends at once when all have failed", async () => {
    const failed = ["a", "b"].map((address) => ({ address, error: new Error(`no ${address}`) }));
    expect(await withoutTime(["a", "b"], [])).toEqual({ outcome: { failed }, log: ["a", "b"] });
  });

  it("ends an attempt that heeds no signal, and begins none after the end", async () => {
    const ended = AbortSignal.abort();
    const { outcome, log } = await attempt({ a: { answers: 1 } }, 5_000, { signal: ended });
    expect(outcome).toEqual({ failed: [] });
    expect(log).toEqual([]);
  });

  it("hands the end of the time on to the winner", async () => {
    const clock = new AbortController();
    const { signals } = await attempt({ a: { answers: 1 } }, 5_000, { signal: clock.signal });
    expect(signals.get("a")?.aborted).toBe(false);
    clock.abort();
    expect(signals.get("a")?.aborted).toBe(true);
  });
});

describe("in turn", () => {
  it("tries the next address only where the one before has failed", async () => {
    const log: string[] = [];
    const open = (address: string): Promise<string> => {
      log.push(address);
      return new Promise((resolve, reject) => {
        setTimeout(() => (address === "b" ? resolve(address) : reject(new Error("no"))), 700);
      });
    };
    vi.useFakeTimers();
    const asking = firstAnswer(["a", "b", "c"], open, 5_000, new AbortController().signal, "in turn");
    await vi.advanceTimersByTimeAsync(699);
    expect(log).toEqual(["a"]);
    await vi.advanceTimersByTimeAsync(701);
    expect(await asking).toEqual({ answer: "b", address: "b" });
    expect(log).toEqual(["a", "b"]);
  });
});
