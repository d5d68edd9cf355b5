import { describe, expect, it } from "vitest";
import { deadlineOf } from "../../../../src/frontends/server/deadline-of.ts";

const BEGAN = 1000;

/** Milliseconds from the beginning. */
function limit(asked: Parameters<typeof deadlineOf>[0], configured: number, timeout: string | null): number {
  return deadlineOf(asked, BEGAN, configured, timeout).at - BEGAN;
}

describe("an answer's deadline", () => {
  it("is the configured one where nothing is shorter", () => {
    expect(limit("admit", 8000, null)).toBe(8000);
    expect(limit("admit", 8000, "10s")).toBe(8000);
    expect(limit("verify", 8000, null)).toBe(8000);
  });

  it("is a second before the caller's own, of its only second 0.7", () => {
    expect(limit("admit", 8000, "5s")).toBe(4000);
    expect(limit("mutate", 8000, "2s")).toBe(1000);
    expect(limit("admit", 8000, "1s")).toBe(700);
  });

  it("is that of Gatekeeper's webhooks", () => {
    expect(limit("gatekeeper/verify", 8000, null)).toBe(2500);
    expect(limit("gatekeeper/mutate", 8000, null)).toBe(800);
    expect(limit("gatekeeper/verify", 1000, null)).toBe(1000);
  });

  it.each(["", "10", "0s", "-1s", "1e3s", "100s", "10s ", "1m", "10ms"])("passes over a timeout of %j", (timeout) => {
    expect(limit("admit", 8000, timeout)).toBe(8000);
  });
});
