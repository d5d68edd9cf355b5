import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HttpFailure, type HttpFailureKind, type HttpRequest } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import {
  type Asking,
  askUntilAnswered,
  describeTries,
  RetryingRequest,
  roundRobin,
  type TryOutcome,
} from "../../../../src/verifier/collect/retry.ts";

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

/** Who answers these one after the other; a pair is a status and its Retry-After. An exchange takes `each` ms. */
class Peer {
  /** Milliseconds after the start, and the timeout, of each attempt. */
  readonly asked: { at: number; timeout: number }[] = [];
  readonly deadline: Deadline;
  readonly asking: Asking;

  constructor(steps: readonly Step[], { time = 8000, base = 200, random = 0.5, each = 0 } = {}) {
    const began = performance.now();
    this.deadline = new Deadline(began + time);
    const http = async (request: HttpRequest) => {
      const step = steps[this.asked.length] ?? 200;
      this.asked.push({ at: performance.now() - began, timeout: request.timeout });
      if (each > 0) await new Promise((done) => setTimeout(done, each));
      if (typeof step === "string") throw new HttpFailure(step, step);
      const [status, after] = typeof step === "number" ? [step] : step;
      const headers = new Map(after === undefined ? [] : [["retry-after", after]]);
      return { status, url: request.url, headers, body: new Uint8Array() };
    };
    this.asking = { http, deadline: this.deadline, pauses: { base, random: () => random }, now: () => NOW };
  }

  get times(): readonly number[] {
    return this.asked.map(({ at }) => at);
  }

  question(request: Partial<HttpRequest> = {}, attempts?: number): RetryingRequest {
    return new RetryingRequest({ ...REQUEST, ...request }, this.asking, attempts);
  }

  /** How asking ends, in fake time. */
  async end(question = this.question()): Promise<number | HttpFailureKind> {
    return endOf(await inFakeTime(askUntilAnswered(question, this.asking)));
  }
}

function endOf(outcome: TryOutcome): number | HttpFailureKind {
  return "response" in outcome ? outcome.response.status : outcome.failure.kind;
}

async function inFakeTime<T>(work: Promise<T>): Promise<T> {
  void work.catch(() => {});
  await vi.runAllTimersAsync();
  return work;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("askUntilAnswered", () => {
  it.each<[string, readonly Step[], number, number | HttpFailureKind]>([
    ["an answer", [200], 1, 200],
    ["a no", [404], 1, 404],
    ["a status that will not be another", [501, 200], 1, 501],
    ["nobody, twice", ["unreachable", "unreachable", 200], 3, 200],
    ["nobody, ever", ["unreachable", "unreachable", "unreachable", 200], 3, "unreachable"],
    ["one who is busy", [429, 503, 200], 3, 200],
    ["one who is busy for good", [500, 502, 504, 200], 3, 504],
    ["silence", ["timeout", 200], 1, "timeout"],
    ["silence at last", ["unreachable", "timeout", 200], 2, "timeout"],
    ["a forged certificate", ["tls", 200], 1, "tls"],
    ["a forbidden address", ["forbidden_address", 200], 1, "forbidden_address"],
    ["what cannot be used", ["bad_response", 200], 1, "bad_response"],
  ])("%s: ends after %j with %i", async (_, steps, attempts, end) => {
    const peer = new Peer(steps);
    const question = peer.question();
    expect(await peer.end(question)).toBe(end);
    expect([question.tries.attempts, peer.asked.length]).toEqual([attempts, attempts]);
  });

  it("asks as often as it is told", async () => {
    const peer = new Peer(["unreachable", 200]);
    expect(await peer.end(peer.question({}, 1))).toBe("unreachable");
  });

  it.each([
    [0, [0, 100, 300]],
    [0.5, [0, 200, 600]],
    [1, [0, 300, 900]],
  ])("pauses 200 ms, then 400 ms, half of it less or more: %s", async (random, times) => {
    const peer = new Peer([503, 503, 503], { random });
    await peer.end();
    expect(peer.times).toEqual(times);
  });

  it("names what it waits for", async () => {
    const peer = new Peer([503, 200]);
    const asking = askUntilAnswered(peer.question(), peer.asking);
    await vi.advanceTimersByTimeAsync(1);
    expect(peer.deadline.waitingFor()).toEqual(["a retry of PDS a.example"]);
    await inFakeTime(asking);
    expect(peer.deadline.waitingFor()).toEqual([]);
  });

  it("takes no more time than the request has, for all attempts and pauses together", async () => {
    const peer = new Peer([503, 503, 503], { each: 150 });
    const question = peer.question({ timeout: 1000 });
    await peer.end(question);
    expect(peer.asked).toEqual([
      { at: 0, timeout: 1000 },
      { at: 350, timeout: 650 },
      { at: 900, timeout: 100 },
    ]);
    expect(question.tries.took).toBe(1050);
  });

  it.each([
    ["the deadline leaves", 299, 5000, 1],
    ["the deadline leaves", 300, 5000, 2],
    ["the request's own time leaves", 8000, 299, 1],
    ["the request's own time leaves", 8000, 300, 2],
  ])("asks again only where %s time for the pause and 100 ms more: %i, %i", async (_, time, timeout, attempts) => {
    const peer = new Peer([503, 200], { time });
    await peer.end(peer.question({ timeout }));
    expect(peer.asked.length).toBe(attempts);
  });

  it.each<[string, readonly number[]]>([
    ["0", [0, 200]],
    ["1", [0, 1000]],
    [" 1 ", [0, 1000]],
    ["4", [0, 4000]],
    ["5", [0]],
    ["3600", [0]],
    ["999999999", [0]],
    ["9999999999", [0, 200]],
    [new Date(NOW + 2000).toUTCString(), [0, 2000]],
    [new Date(NOW + 3_600_000).toUTCString(), [0]],
    [new Date(NOW - 3_600_000).toUTCString(), [0, 200]],
    ["soon", [0, 200]],
    ["-5", [0, 200]],
    ["1e3", [0, 200]],
    ["2099", [0]],
    ["1 January 2099", [0, 200]],
  ])("heeds Retry-After %j as far as there is time for it", async (after, times) => {
    const peer = new Peer([[503, after], 200]);
    await peer.end();
    expect(peer.times).toEqual(times);
    // Nobody sleeps for what is not asked again.
    if (times.length === 1) expect(vi.getTimerCount()).toBe(0);
  });

  it("knows whether the deadline or the request's own time ends it", async () => {
    const peer = new Peer(["timeout", "timeout"], { time: 3000 });
    const [cut, own] = [peer.question({ timeout: 3000 }), peer.question({ timeout: 2999 })];
    await peer.end(cut);
    await peer.end(own);
    expect([cut.isCutByDeadline, own.isCutByDeadline]).toEqual([true, false]);
  });

  it("lets bugs through", async () => {
    const bug = new TypeError("a bug");
    const asking = { ...new Peer([]).asking, http: () => Promise.reject(bug) };
    await expect(askUntilAnswered(new RetryingRequest(REQUEST, asking), asking)).rejects.toBe(bug);
  });
});

describe("inTurn", () => {
  /** Who was asked when, by the number of the peer. */
  async function order(...peers: readonly Peer[]): Promise<readonly string[]> {
    const asked: string[] = [];
    const [{ deadline }] = peers as [Peer];
    const askings = peers.map((peer, i) => ({ i, question: peer.question() }));
    const all = async (): Promise<void> => {
      for await (const { i, question } of roundRobin(askings, deadline)) {
        asked.push(`${i} at ${performance.now() - deadline.at + 8000}`);
        const end = endOf(await question.ask());
        if (end === 200) return;
      }
    };
    await inFakeTime(all());
    return asked;
  }

  it("asks each once before one is asked again, and then who may be asked first", async () => {
    const busy = [503, 503, 503];
    expect(await order(new Peer(busy), new Peer([[503, "1"], 503, 503]), new Peer([404]))).toEqual([
      "0 at 0",
      "1 at 0",
      "2 at 0",
      "0 at 200",
      "0 at 600",
      "1 at 1000",
      "1 at 1400",
    ]);
  });

  it("does not wait for one who is not asked again", async () => {
    expect(await order(new Peer([[503, "3600"]]), new Peer(["timeout"]), new Peer([503, 200]))).toEqual([
      "0 at 0",
      "1 at 0",
      "2 at 0",
      "2 at 200",
    ]);
  });

  it("counts for each what it took by itself alone", async () => {
    // The second one's 6 s are no time of the first.
    const slow = new Peer([404], { each: 6000 });
    expect(await order(new Peer([503, 200]), slow)).toEqual(["0 at 0", "1 at 0", "0 at 6000"]);
  });

  it("asks nobody again where the others have taken all the time", async () => {
    const slow = (each: number) => new Peer([404], { each });
    expect(await order(new Peer([503, 200]), slow(7901))).toEqual(["0 at 0", "1 at 0"]);
    expect(await order(new Peer([503, 200]), slow(7900))).toEqual(["0 at 0", "1 at 0", "0 at 7900"]);
  });

  it("asks whoever is added meanwhile", async () => {
    const peer = new Peer([200, 200]);
    const askings = [{ question: peer.question() }];
    let named = 0;
    for await (const { question } of roundRobin(askings, peer.deadline)) {
      await question.ask();
      if (named++ === 0) askings.push({ question: peer.question() });
    }
    expect(named).toBe(2);
  });
});

describe("describeTries", () => {
  it("says how often and how long, and for how long nobody is wanted", () => {
    expect(describeTries({ attempts: 1, took: 40, retryAfter: 0 })).toBe("1 attempt in 0.0 s");
    expect(describeTries({ attempts: 3, took: 1260, retryAfter: 0 })).toBe("3 attempts in 1.3 s");
    expect(describeTries({ attempts: 1, took: 40, retryAfter: 3_599_500 })).toBe(
      "1 attempt in 0.0 s, Retry-After 3600 s",
    );
  });
});
