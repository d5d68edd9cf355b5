import { describe, expect, it } from "vitest";
import type { Deadline } from "../../../../src/io/process/deadline.ts";
import { type Begin, Flights } from "../../../../src/verifier/service/flights.ts";

/** Work that ends when it is told to. */
class Work {
  readonly deadlines: Deadline[] = [];
  readonly ends: PromiseWithResolvers<string>[] = [];

  readonly start = async (begin: Begin): Promise<string> => {
    this.deadlines.push(begin());
    const end = Promise.withResolvers<string>();
    this.ends.push(end);
    return end.promise;
  };
}

describe("Flights", () => {
  it("does the same work once for all who ask while it is under way, with a deadline of its own", async () => {
    const [flights, work] = [new Flights<string>(), new Work()];
    const asked = ["a", "a", "b"].map((key) => flights.join(key, 5000, work.start));
    expect(asked.map(({ isJoined }) => isJoined)).toEqual([false, true, false]);
    expect(work.deadlines[0]?.remaining()).toBeGreaterThan(4000);
    expect(flights.count).toBe(2);
    for (const [i, end] of work.ends.entries()) end.resolve(`answer ${i}`);
    expect(await Promise.all(asked.map(({ flight }) => flight.result))).toEqual(["answer 0", "answer 0", "answer 1"]);
  });

  it("keeps neither an answer nor a failure", async () => {
    const [flights, work] = [new Flights<string>(), new Work()];
    for (const settle of ["resolve", "reject"] as const) {
      const asked = [1, 2].map(() => flights.join("a", 5000, work.start).flight.result);
      work.ends.at(-1)?.[settle]("this");
      const outcomes = await Promise.allSettled(asked);
      expect(new Set(outcomes.map(({ status }) => status)).size).toBe(1);
      expect(flights.count).toBe(0);
    }
    expect(work.ends).toHaveLength(2);
  });

  it("does not fail where nobody waits for a failure any more", async () => {
    const [flights, work] = [new Flights<string>(), new Work()];
    void flights.join("a", 5000, work.start);
    work.ends[0]?.reject(new Error("nobody looks at this"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(flights.count).toBe(0);
  });

  it("begins anew beside what has used up half of its time", async () => {
    const [flights, work] = [new Flights<string>(), new Work()];
    const first = flights.join("a", 40, work.start);
    await new Promise((resolve) => setTimeout(resolve, 25));
    const second = flights.join("a", 40_000, work.start);
    expect([second.isJoined, flights.join("a", 40, work.start).isJoined]).toEqual([false, true]);
    work.ends[0]?.resolve("late");
    expect(await first.flight.result).toBe("late");
    // The first one's end is not the second one's.
    expect(flights.join("a", 40, work.start).isJoined).toBe(true);
  });

  it("counts who waits, and has no time limit before it begins", async () => {
    const flights = new Flights<string>();
    const turn = Promise.withResolvers<void>();
    let counted: { readonly waiting: number } | undefined;
    const start = async (begin: Begin, own: { readonly waiting: number }): Promise<string> => {
      counted = own;
      await turn.promise;
      return String(begin().remaining() > 0);
    };
    const { flight } = flights.join("a", 20, start);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(flights.join("a", 20, start).isJoined).toBe(true);
    flight.waiting--;
    expect(counted?.waiting).toBe(1);
    turn.resolve();
    await flight.begun;
    expect(await flight.result).toBe("true");
  });
});
