import { describe, expect, it, vi } from "vitest";
import { LIMITS, PeerQueue, type QueueLimits } from "../../../../src/frontends/lookaside/peer-queue.ts";

const SMALL: QueueLimits = { running: 3, waiting: 4, runningOfPeer: 2, waitingOfPeer: 3, ofRoot: 0, wait: 1000 };

/** Requests that end when they are told to. */
class Requests {
  readonly started: string[] = [];
  readonly turnedAway: string[] = [];
  readonly #ends = new Map<string, (error?: Error) => void>();
  readonly #queue: PeerQueue;

  constructor(limits?: QueueLimits) {
    this.#queue = new PeerQueue(limits);
  }

  /** @param name its first letter is the peer */
  async ask(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const work = (): Promise<string> => {
        this.started.push(name);
        return new Promise((resolve, fail) =>
          this.#ends.set(name, (error) => (error === undefined ? resolve(name) : fail(error))),
        );
      };
      this.#queue.run(name[0] ?? "", work).then(
        (done) => done ?? this.turnedAway.push(name),
        () => {},
      );
    }
    await settled();
  }

  async end(name: string, error?: Error): Promise<void> {
    this.#ends.get(name)?.(error);
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

describe("the queue", () => {
  it("answers a few requests of a peer at one time, and has others wait in their order", async () => {
    const requests = new Requests(SMALL);
    await requests.ask("a1", "a2", "a3", "a4");
    expect(requests.started).toEqual(["a1", "a2"]);
    await requests.end("a2");
    expect(requests.started).toEqual(["a1", "a2", "a3"]);
    await requests.end("a1");
    expect(requests.started).toEqual(["a1", "a2", "a3", "a4"]);
  });

  it("turns away at once what one peer, and what all, may not have wait", async () => {
    // The responder then answers server.overloaded.
    const requests = new Requests(SMALL);
    await requests.ask("a1", "a2", "a3", "a4", "a5", "a6");
    expect(requests.turnedAway).toEqual(["a6"]);
    await requests.ask("b1", "b2", "b3");
    expect(requests.started).toEqual(["a1", "a2", "b1"]);
    expect(requests.turnedAway).toEqual(["a6", "b3"]);
  });

  it("does not let one peer take the places of others", async () => {
    const requests = new Requests(SMALL);
    await requests.ask("a1", "a2", "a3", "a4", "a5", "b1");
    expect(requests.started).toContain("b1");
  });

  it("takes turns among the peers that wait", async () => {
    const requests = new Requests({ ...SMALL, running: 1, waiting: 10 });
    await requests.ask("a1", "a2", "a3", "b1", "c1");
    for (const name of ["a1", "b1", "c1", "a2"]) await requests.end(name);
    expect(requests.started).toEqual(["a1", "b1", "c1", "a2", "a3"]);
  });

  it("keeps places for root, whatever other users there are", async () => {
    const started: string[] = [];
    const queue = new PeerQueue();
    const endless = (peer: string) =>
      queue.run(peer, () => {
        started.push(peer);
        return new Promise<never>(() => {});
      });
    for (let uid = 1; uid <= 100; uid++) for (let i = 0; i < 10; i++) void endless(`uid ${uid}`);
    await settled();
    expect(started).toHaveLength(LIMITS.running - LIMITS.ofRoot);
    for (let i = 0; i < LIMITS.ofRoot; i++) void endless("uid 0");
    await settled();
    expect(started.filter((peer) => peer === "uid 0")).toHaveLength(LIMITS.ofRoot);
    expect(await queue.run("uid 200", async () => "late")).toBeUndefined();
  });

  it("frees the place of work that fails", async () => {
    const requests = new Requests({ ...SMALL, running: 1 });
    await requests.ask("a1", "a2");
    await requests.end("a1", new Error("boom"));
    expect(requests.started).toEqual(["a1", "a2"]);
  });

  it("turns away what has waited too long, and starts it never", async () => {
    vi.useFakeTimers();
    try {
      const requests = new Requests({ ...SMALL, running: 1 });
      await requests.ask("a1", "b1");
      await vi.advanceTimersByTimeAsync(SMALL.wait);
      expect(requests.turnedAway).toEqual(["b1"]);
      await requests.ask("c1");
      await requests.end("a1");
      expect(requests.started).toEqual(["a1", "c1"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("has room for other users beside one who sends without end", () => {
    expect(LIMITS.runningOfPeer * 4).toBeLessThanOrEqual(LIMITS.running);
    expect(LIMITS.waitingOfPeer * 4).toBeLessThanOrEqual(LIMITS.waiting);
  });
});
