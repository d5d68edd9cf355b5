import { describe, expect, it } from "vitest";
import { askInTurn, describeTries, restBefore } from "../../../src/collect/retry.ts";
import { Deadline } from "../../../src/net/deadline.ts";
import { HttpFailure, type HttpFailureKind, type HttpRequest } from "../../../src/net/exchange.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const REQUEST: HttpRequest = {
  url: "https://a.example/x",
  accept: "*/*",
  maxBytes: 10,
  timeout: 5000,
  maxRedirects: 0,
  originMayBePrivate: false,
  purpose: "PDS",
};

type Step = number | HttpFailureKind | readonly [number, string];

/** Answers one after the other; a pair is a status and its Retry-After. */
async function asked(steps: readonly Step[], { attempts = 3, time = 5000, timeout = 5000, base = 1 } = {}) {
  const timeouts: number[] = [];
  const deadline = new Deadline(performance.now() + time);
  const http = async (request: HttpRequest) => {
    const step = steps[timeouts.length] ?? 200;
    timeouts.push(request.timeout);
    if (typeof step === "string") throw new HttpFailure(step, step);
    const [status, after] = typeof step === "number" ? [step] : step;
    const headers = new Map(after === undefined ? [] : [["retry-after", after]]);
    return { status, url: request.url, headers, body: new Uint8Array() };
  };
  const asking = { http, deadline, pauses: { base, random: () => 0.5 }, now: () => NOW };
  const outcome = await askInTurn({ ...REQUEST, timeout }, asking, attempts);
  return { outcome, timeouts, end: "response" in outcome ? outcome.response.status : outcome.failure.kind };
}

describe("askInTurn", () => {
  it.each<[string, readonly Step[], number, number | HttpFailureKind]>([
    ["an answer", [200], 1, 200],
    ["a no", [404], 1, 404],
    ["status 501", [501], 1, 501],
    ["nobody, twice", ["unreachable", "unreachable", 200], 3, 200],
    ["nobody, ever", ["unreachable", "unreachable", "unreachable", 200], 3, "unreachable"],
    ["one who is busy", [429, 503, 200], 3, 200],
    ["one who is busy for good", [500, 502, 504, 200], 3, 504],
    ["silence", ["timeout", 200], 1, "timeout"],
    ["a forged certificate", ["tls", 200], 1, "tls"],
    ["a forbidden address", ["forbidden_address", 200], 1, "forbidden_address"],
    ["what cannot be used", ["bad_response", 200], 1, "bad_response"],
  ])("%s: ends after %j with %i", async (_, steps, attempts, end) => {
    const found = await asked(steps);
    expect([found.outcome.attempts, found.timeouts.length, found.end]).toEqual([attempts, attempts, end]);
  });

  it("asks as often as it is told", async () => {
    expect((await asked(["unreachable", 200], { attempts: 1 })).end).toBe("unreachable");
  });

  it("takes no more time than the request has, for all attempts together", async () => {
    const { timeouts, end } = await asked(["unreachable", "unreachable", 200], { timeout: 400, base: 50 });
    expect(end).toBe(200);
    expect(timeouts[0]).toBe(400);
    expect(timeouts[1]).toBeLessThanOrEqual(350);
    expect(timeouts[2]).toBeLessThanOrEqual(250);
  });

  it("does not begin where time is over", async () => {
    expect((await asked(["unreachable", 200], { time: 150, base: 100 })).end).toBe("unreachable");
    expect((await asked(["unreachable", 200], { timeout: 150, base: 100 })).end).toBe("unreachable");
  });

  it.each<[string, number, number]>([
    ["0", 2, 200],
    ["1", 2, 200],
    ["3600", 1, 503],
    ["999999999", 1, 503],
    [new Date(NOW + 500).toUTCString(), 2, 200],
    [new Date(NOW + 3_600_000).toUTCString(), 1, 503],
    [new Date(NOW - 3_600_000).toUTCString(), 2, 200],
    ["soon", 2, 200],
    ["-5", 2, 200],
    ["1e9", 2, 200],
  ])("heeds Retry-After %s as far as there is time for it", async (after, attempts, end) => {
    const began = performance.now();
    const found = await asked([[503, after], 200], { time: 3000 });
    expect([found.outcome.attempts, found.end]).toEqual([attempts, end]);
    if (after === "1") expect(performance.now() - began).toBeGreaterThanOrEqual(990);
  });

  it("lets bugs through", async () => {
    const bug = new TypeError("a bug");
    const http = () => Promise.reject(bug);
    const asking = {
      http,
      deadline: new Deadline(performance.now() + 100),
      pauses: { base: 1, random: () => 0 },
      now: () => 0,
    };
    await expect(askInTurn(REQUEST, asking, 3)).rejects.toBe(bug);
  });
});

describe("restBefore", () => {
  it("says whether there is time for another attempt", async () => {
    const pauses = { base: 10, random: () => 0.5 };
    expect(await restBefore(1, "x", { deadline: new Deadline(performance.now() + 1000), pauses })).toBe(true);
    expect(await restBefore(1, "x", { deadline: new Deadline(performance.now() + 90), pauses })).toBe(false);
  });
});

describe("describeTries", () => {
  it("says how often and how long", () => {
    expect(describeTries({ attempts: 1, took: 40 })).toBe("1 attempt in 0.0 s");
    expect(describeTries({ attempts: 3, took: 1260 })).toBe("3 attempts in 1.3 s");
  });
});
