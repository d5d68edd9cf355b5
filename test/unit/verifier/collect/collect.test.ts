import { beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../../../src/core/config/config.ts";
import type { Subject } from "../../../../src/core/evidence/evidence.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { type Collected, Collector } from "../../../../src/verifier/collect/collect.ts";
import { nobodies } from "../../../support/deciding.ts";
import { NOW, rule, signer, subject, type TestSigner, trusted } from "../../../support/evidence.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

/** A key that was seen before. */
const KNOWN = signingKey("k256", "known").did();

const HANDLE = "alice.example.com";
const ATCR = { atcrHosts: ["registry.example"] };
const HERS = { name: { host: "registry.example", path: `${HANDLE}/app` } };

let alice: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
});

interface Asked {
  readonly about?: Partial<Subject>;
  readonly required?: Partial<Requirement>;
  readonly config?: Partial<Config>;
}

const asking = ({ about = {}, required = {}, config = {} }: Asked) =>
  questionOf(subject(about), rule([trusted(alice.did)], required), config.atcrHosts ?? [], NOW);

const collecting = (world: World, { about = {}, required = {}, config = {} }: Asked) =>
  new Collector(asking({ about, required, config }), world.context(config));

async function all(collector: Collector): Promise<Collected[]> {
  const items: Collected[] = [];
  for (let item = await collector.next(); item !== undefined; item = await collector.next()) items.push(item);
  return items;
}

const kinds = (items: readonly Collected[]) => items.map(({ kind }) => kind).toSorted();

describe("Collector, the owner", () => {
  it("comes as one more piece of evidence", async () => {
    await using world = await World.start(alice);
    world.txt.set(`_atproto.${HANDLE}`, [`did=${alice.did}`]);
    const items = await all(collecting(world, { about: HERS, config: ATCR }));
    expect(kinds(items)).toEqual(["owner", "signature"]);
    expect(items.find(({ kind }) => kind === "owner")).toEqual({
      kind: "owner",
      owner: { handle: HANDLE, did: alice.did, source: `dns:_atproto.${HANDLE}`, fetchedAt: NOW },
    });
  });

  it("is a gap of the handle where nobody answered, and of no signer", async () => {
    await using world = await World.start(alice);
    world.txt.set(`_atproto.${HANDLE}`, new HttpFailure("unreachable", "no DNS"));
    const items = await all(collecting(world, { about: HERS, config: ATCR }));
    expect(items.find(({ kind }) => kind === "gap")).toEqual({
      kind: "gap",
      gap: { service: "handle", code: "handle.unreachable", detail: expect.stringContaining("no DNS") as unknown },
    });
  });

  it("is not what a bug of ours hides", async () => {
    await using world = await World.start(alice);
    world.txt.set(`_atproto.${HANDLE}`, new TypeError("a bug"));
    await expect(all(collecting(world, { about: HERS, config: ATCR }))).rejects.toThrow("a bug");
  });
});

describe("Collector, what it knows of signers", () => {
  it("is what was remembered of whom it asked, and who they are by now", async () => {
    await using world = await World.start(alice);
    const [stranger] = nobodies(1);
    for (const signer of [alice.did, stranger ?? alice.did]) {
      await world.disk.recordObservation({ signer, revs: [], key: KNOWN });
    }
    const collector = collecting(world, {});
    expect([collector.memory.size, collector.identityOf(alice.did)]).toEqual([0, undefined]);
    await all(collector);
    expect([...collector.memory.keys()]).toEqual([alice.did]);
    expect([...(collector.memory.get(alice.did)?.keys.keys() ?? [])]).toEqual([KNOWN]);
    expect(collector.identityOf(alice.did)?.current).toMatchObject({ did: alice.did });
    expect(collector.identityOf(stranger ?? alice.did)).toBeUndefined();
  });

  it("asks a signer's PDS again, once, and nobody whom it did not ask", async () => {
    await using world = await World.start(alice);
    const collector = collecting(world, {});
    expect(collector.askAgain(nobodies(1)[0] ?? alice.did)).toBe(false);
    await all(collector);
    expect(collector.askAgain(alice.did)).toBe(true);
    expect(collector.askAgain(alice.did)).toBe(false);
    expect(kinds(await all(collector))).toEqual(["signature"]);
    expect(world.pds.count("getRecord")).toBe(2);
  });

  it("refreshes nobody whom it did not ask", async () => {
    await using world = await World.start(alice);
    const collector = collecting(world, {});
    await all(collector);
    world.http.asked.length = 0;
    collector.refresh(nobodies(1)[0] ?? alice.did);
    expect([await all(collector), world.http.asked]).toEqual([[], []]);
  });
});
