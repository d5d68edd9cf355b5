import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Answer } from "../../../../src/core/verify/answer.ts";
import { ProcessLifecycle } from "../../../../src/frontends/process/process-lifecycle.ts";

const written = vi.hoisted(() => [] as string[]);
vi.mock("../../../../src/frontends/process/standard-output.ts", () => ({
  writeOutput: (text: string) => written.push(text),
  diagnose: () => {},
  sayUnwritten: () => {},
}));

const ALLOW: Answer = { outcome: "allow", because: { kind: "exempt", because: "a rule allows it" } };
const DENY: Answer = { outcome: "deny", code: "signature.none", detail: "nobody signed it", findings: [] };
const EVENTS = ["SIGTERM", "uncaughtException", "unhandledRejection"] as const;
/** What listened before a process edge did. */
const before = new Map(EVENTS.map((event) => [event, process.listeners(event as "SIGTERM")]));

const exits: unknown[] = [];

beforeEach(() => {
  written.length = 0;
  exits.length = 0;
  vi.useFakeTimers();
  vi.spyOn(process, "exit").mockImplementation((code) => exits.push(code) as never);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  process.exitCode = undefined;
  for (const [event, listeners] of before) {
    for (const listener of process.listeners(event as "SIGTERM")) {
      if (!listeners.includes(listener)) process.removeListener(event, listener);
    }
  }
});

describe("ProcessEdge, while what comes after its answer goes on", () => {
  it.each([
    ["an allow", ALLOW, DENY, 0],
    ["a refusal", DENY, ALLOW, 1],
  ])("lets %s stand: no second answer is written, by whatever ends the process", async (_, first, second, code) => {
    const lifecycle = new ProcessLifecycle({});
    lifecycle.afterwards = () => new Promise(() => {});
    expect(() => lifecycle.answer(first)).toThrow();
    expect([written.length, process.exitCode]).toEqual([1, code]);
    expect(() => lifecycle.answer(second)).toThrow();
    process.emit("SIGTERM", "SIGTERM");
    lifecycle.caught(new Error("a bug"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect([written.length, process.exitCode]).toEqual([1, code]);
    expect(exits[0]).toBe(code);
  });
});
