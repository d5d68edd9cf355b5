import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { HostLimits, type Turn } from "../../../../src/verifier/service/host-limits.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const UNNAMED: ReadonlySet<string> = new Set([""]);

/** A request of an asker to a host that an image names. */
const namedBy = (...askers: readonly string[]) => ({ askers: new Set(askers), isNamed: true });

/** Requests that go on until they are ended, and how each ended or failed. */
class Hosts {
  readonly limits = new HostLimits();
  readonly ends: (() => void)[] = [];
  readonly failures: HttpFailure[] = [];
  /** Who asked for what began. */
  readonly order: string[] = [];
  began = 0;

  ask(host: string, given: Partial<Turn> = {}): void {
    const turn = { name: `PDS ${host}`, host, askers: UNNAMED, isNamed: false, isWanted: () => true, ...given };
    const work = async (): Promise<void> => {
      this.began++;
      this.order.push([...turn.askers].join());
      await new Promise<void>((resolve) => this.ends.push(resolve));
    };
    this.limits.run(turn, work).catch((error: unknown) => {
      this.failures.push(error instanceof HttpFailure ? error : expect.fail(String(error)));
    });
  }

  async settled(ms = 0): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  async end(count: number): Promise<void> {
    for (const end of this.ends.splice(0, count)) end();
    await this.settled();
  }
}

describe("limits of requests to a host", () => {
  it("let 32 be under way at a time, the others in their order as places become free", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 40; i++) hosts.ask("pds.example");
    hosts.ask("other.example");
    await hosts.settled();
    expect([hosts.began, hosts.limits.waiting]).toEqual([33, 8]);
    await hosts.end(5);
    expect([hosts.began, hosts.limits.waiting]).toEqual([38, 3]);
  });

  it("pass over what nobody waits for any more, and send none of it", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 32; i++) hosts.ask("pds.example");
    let isWanted = true;
    for (let i = 0; i < 500; i++) hosts.ask("pds.example", { isWanted: () => isWanted });
    hosts.ask("pds.example");
    await hosts.settled();
    isWanted = false;
    await hosts.end(1);
    expect([hosts.began, hosts.limits.waiting, hosts.failures.length]).toEqual([33, 0, 500]);
    expect(hosts.failures[0]).toMatchObject({
      kind: "timeout",
      message: "PDS pds.example: not asked, as nobody waits for the answer any more",
    });
  });

  it("refuse at once where too many wait already", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 32 + 2048; i++) hosts.ask("pds.example");
    hosts.ask("pds.example");
    await hosts.settled();
    expect([hosts.limits.waiting, hosts.failures.map(({ kind }) => kind)]).toEqual([2048, ["timeout"]]);
  });

  it("let 400 begin at once and then 200 in a second, however quickly the host answers", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 1000; i++) hosts.ask("pds.example");
    for (let i = 0; i < 100; i++) await hosts.end(32);
    expect(hosts.began).toBe(400);
    for (let i = 0; i < 100; i++) {
      await hosts.settled(10);
      await hosts.end(32);
    }
    expect(hosts.began).toBeGreaterThanOrEqual(595);
    expect(hosts.began).toBeLessThanOrEqual(605);
  });

  it("leave places for directories and signers, whatever silent hosts names of images choose", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 200; i++) hosts.ask(`silent-${i}.example`, namedBy(`namespace-${i % 5}`));
    await hosts.settled();
    expect([hosts.began, hosts.limits.waiting]).toEqual([128, 72]);
    hosts.ask("plc.example");
    await hosts.settled();
    expect(hosts.began).toBe(129);
    // A place at one host is one for those who wait for others.
    await hosts.end(2);
    expect([hosts.began, hosts.limits.waiting]).toEqual([131, 70]);
  });

  it("leave places at other hosts, and at the same one, whatever silent hosts the names of one asker choose", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 40; i++) hosts.ask(`silent-${i}.example`, namedBy("a"));
    hosts.ask("shared.example", namedBy("a"));
    await hosts.settled();
    expect([hosts.began, hosts.limits.waiting]).toEqual([32, 9]);
    hosts.ask("shared.example", namedBy("b"));
    await hosts.settled();
    expect([hosts.began, hosts.limits.waiting]).toEqual([33, 9]);
    await hosts.end(2);
    expect([hosts.began, hosts.limits.waiting]).toEqual([35, 7]);
  });

  it("let an asker with fewer requests under way begin first, at one host and whichever host is known longer", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 128; i++) hosts.ask(`silent-${i}.example`, namedBy(`namespace-${i % 4}`));
    for (let i = 0; i < 20; i++) hosts.ask("silent-0.example", namedBy(`namespace-${i % 4}`));
    for (const asker of ["namespace-0", "new"]) hosts.ask("young.example", namedBy(asker));
    await hosts.settled();
    await hosts.end(1);
    expect([hosts.began, hosts.order.at(-1)]).toEqual([129, "new"]);
  });

  it("let one that waits at a signer's PDS begin before the many of another asker", async () => {
    const hosts = new Hosts();
    const of = (asker: string) => ({ askers: new Set([asker]) });
    for (let i = 0; i < 100; i++) hosts.ask("pds.example", of("a"));
    hosts.ask("pds.example", of("b"));
    await hosts.settled();
    await hosts.end(1);
    expect([hosts.began, hosts.order.at(-1)]).toEqual([33, "b"]);
  });

  it("refuse at once where 512 of one asker wait at a host, and take those of others", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 32 + 513; i++) hosts.ask("registry.example", namedBy("a"));
    hosts.ask("registry.example", namedBy("b"));
    for (let i = 0; i < 600; i++) hosts.ask("registry.example", namedBy(""));
    await hosts.settled();
    expect([hosts.limits.waiting, hosts.failures.length]).toEqual([512 + 1 + 600, 1]);
  });

  it("count those who name no asker as one, which has half", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 70; i++) hosts.ask(`silent-${i}.example`, namedBy(""));
    await hosts.settled();
    expect([hosts.began, hosts.limits.waiting]).toEqual([64, 6]);
  });

  it("begin what waits for one asker once another one asks for it, too", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 32; i++) hosts.ask(`silent-${i}.example`, namedBy("a"));
    const askers = new Set(["a"]);
    hosts.ask("shared.example", { askers, isNamed: true });
    await hosts.settled();
    expect(hosts.began).toBe(32);
    askers.add("b");
    hosts.limits.joined("shared.example");
    await hosts.settled();
    expect([hosts.began, hosts.limits.waiting]).toEqual([33, 0]);
  });

  it("give a place back after a failure", async () => {
    const limits = new HostLimits();
    const turn = { name: "", host: "pds.example", ...namedBy("a"), isWanted: () => true };
    const fail = () => limits.run(turn, async () => Promise.reject(new Error("x")));
    for (let i = 0; i < 200; i++) await expect(fail()).rejects.toThrow("x");
    expect([limits.waiting, limits.askers]).toEqual([0, 0]);
  });

  it("forget hosts that are idle", async () => {
    const hosts = new Hosts();
    for (let i = 0; i < 2000; i++) {
      hosts.ask(`host-${i}.example`);
      await hosts.end(1);
      await hosts.settled(10);
    }
    expect([hosts.began, hosts.limits.hosts <= 1024]).toEqual([2000, true]);
  });
});
