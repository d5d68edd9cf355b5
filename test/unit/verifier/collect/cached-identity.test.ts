import { beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../../../src/core/config/config.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { NO_HISTORY, type SignerHistory } from "../../../../src/core/verify/signer-history.ts";
import { identify } from "../../../../src/verifier/collect/cached-identity.ts";
import type { CollectContext } from "../../../../src/verifier/collect/context.ts";
import { SignerSearch } from "../../../../src/verifier/collect/signer-search.ts";
import { answer, BOTH, fixedDeadline, policy } from "../../../support/deciding.ts";
import { didDocument } from "../../../support/did-document.ts";
import { DIGEST, NOW, signer, type TestSigner } from "../../../support/evidence.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const TTL = 300_000;

let alice: TestSigner;
let web: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  web = await signer({ name: "web", method: "web" });
});

/** A world whose node has heard who they are. */
async function knowing(who = alice): Promise<World> {
  const world = await World.start(who);
  world.remembersIdentities = true;
  await world.disk.keepIdentity(who.did, { ...who.identity(), fetchedAt: NOW });
  return world;
}

const remembering = (changes: Partial<SignerHistory>): SignerHistory => ({ ...NO_HISTORY, ...changes });

interface Asking {
  readonly who?: TestSigner;
  readonly config?: Partial<Config>;
  readonly memory?: SignerHistory;
  readonly changes?: Partial<CollectContext>;
}

/** Which directory said who they are: -1 for what was heard before. */
async function directoryOf(world: World, asking: Asking = {}): Promise<number> {
  const { who = alice, config, memory = NO_HISTORY, changes } = asking;
  const { directory } = await identify(who.did, DIGEST, { ...world.context(config), ...changes }, memory);
  return directory;
}

describe("identify, by what was heard", () => {
  it("asks nobody, and takes no turn", async () => {
    await using world = await knowing();
    const { identities, ...context } = world.context();
    const oneAtATime = () => expect.fail("a turn is taken");
    const given = { ...context, identities: { ...identities, oneAtATime } };
    const found = await identify(alice.did, DIGEST, given, NO_HISTORY);
    expect(found).toMatchObject({
      directory: -1,
      fetched: { fetchedAt: NOW, bytes: alice.log.bytes() },
      proof: { did: alice.did, current: { pds: alice.pds } },
    });
    expect(world.requests).toEqual([]);
  });

  it("asks nobody of a did:web either", async () => {
    await using world = await knowing(web);
    const memory = remembering({ keys: new Map([[web.key.did(), NOW]]) });
    expect(await directoryOf(world, { who: web, memory })).toBe(-1);
    expect(world.requests).toEqual([]);
  });

  it("is so also where all that was seen of the log is in it", async () => {
    await using world = await knowing();
    const operations = new Set(alice.log.entries().map(({ cid }) => cid));
    expect(await directoryOf(world, { memory: remembering({ operations, keys: new Map([["other", NOW + 1]]) }) })).toBe(
      -1,
    );
  });

  it.each([
    ["just young enough", TTL, -1],
    ["too old by a millisecond", TTL + 1, 0],
    ["ahead of the clock", -1, 0],
  ])("counts it by its age: %s", async (_, later, directory) => {
    await using world = await knowing();
    world.now += later;
    expect(await directoryOf(world)).toBe(directory);
    expect(world.plc.count()).toBe(directory + 1);
  });

  it.each<[string, Asking, ((world: World) => unknown)?]>([
    ["cacheTTL is shorter", { config: { cacheTTL: 999 } }],
    ["the memory of the signer cannot be used", { memory: remembering({ unusable: "why not" }) }],
    ["an operation was seen since", { memory: remembering({ operations: new Set(["bafyreilost"]) }) }],
    ["it is damaged", {}, (world) => change(world, { bytes: toUtf8("[]") })],
    [
      "it is somebody else's",
      {},
      async (world) => change(world, { bytes: (await signer({ name: "eve" })).log.bytes() }),
    ],
  ])("does not take it where %s", async (_, asking, spoil) => {
    await using world = await knowing();
    world.now += 1000;
    await spoil?.(world);
    expect(await directoryOf(world, asking)).toBe(0);
  });

  function change({ disk }: World, changes: object): void {
    disk.rewriteSignatures("identities", (kept) => ({ ...kept, identity: { ...kept.identity, ...changes } }));
  }

  it("does not take a tombstone, or an identity without a key: that they are over is heard anew", async () => {
    const closed = await signer({ name: "closed" });
    await closed.log.tombstone({ at: NOW });
    await using world = await knowing(closed);
    expect(await directoryOf(world, { who: closed })).toBe(0);
    const { did, key, pds } = web;
    const document = { ...didDocument({ did, handles: [], key, pds }), verificationMethod: [] };
    await using keyless = await knowing(web);
    change(keyless, { bytes: toUtf8(JSON.stringify(document)) });
    expect(await directoryOf(keyless, { who: web })).toBe(0);
  });

  it("does not take a did:web with a key from before the last", async () => {
    await using world = await knowing(web);
    const keys = new Map([
      [web.key.did(), NOW],
      ["did:key:newer", NOW + 1],
    ]);
    expect(await directoryOf(world, { who: web, memory: remembering({ keys }) })).toBe(0);
  });

  it("is not looked at when the time is over", async () => {
    await using world = await knowing();
    const late = { deadline: fixedDeadline(0) };
    await expect(directoryOf(world, { changes: late })).rejects.toMatchObject({ code: "net.deadline", answered: true });
  });
});

describe("identify, by asking", () => {
  it("keeps what it hears, one process at a time", async () => {
    await using world = await World.start(alice);
    world.remembersIdentities = true;
    const { identities } = world.context();
    const events: string[] = [];
    const oneAtATime: typeof identities.oneAtATime = async (did, _, ask) => {
      events.push(`begin ${did}`);
      const answered = await ask();
      events.push(`end ${world.plc.count()} ${world.disk.count("identities")}`);
      return answered;
    };
    expect(await directoryOf(world, { changes: { identities: { ...identities, oneAtATime } } })).toBe(0);
    expect(events).toEqual([`begin ${alice.did}`, "end 1 1"]);
    expect(world.disk.findIdentity(alice.did)).toMatchObject({ bytes: alice.log.bytes(), fetchedAt: NOW });
    expect(await directoryOf(world)).toBe(-1);
  });

  it("takes the answer to another process's question that came meanwhile", async () => {
    await using world = await World.start(alice);
    world.remembersIdentities = true;
    const { identities } = world.context();
    const oneAtATime: typeof identities.oneAtATime = async (_, find, ask) => {
      expect(await find()).toBeUndefined();
      await world.disk.keepIdentity(alice.did, alice.identity());
      return (await find()) ?? ask();
    };
    expect(await directoryOf(world, { changes: { identities: { ...identities, oneAtATime } } })).toBe(-1);
    expect(world.requests).toEqual([]);
  });

  it("replays a cached log that cannot be used once, however often it is looked for", async () => {
    await using world = await knowing();
    const { identities } = world.context();
    let looks = 0;
    const find = (did: typeof alice.did) => {
      const fetched = identities.find(did);
      return (
        fetched && {
          ...fetched,
          get bytes() {
            looks++;
            return toUtf8("[]");
          },
        }
      );
    };
    const oneAtATime: typeof identities.oneAtATime = async (_, again, ask) =>
      (await again()) ?? (await again()) ?? ask();
    await directoryOf(world, { changes: { identities: { ...identities, find, oneAtATime } } });
    const once = looks;
    const never = { ...identities, find, oneAtATime: (async (_, __, ask) => ask()) as typeof oneAtATime };
    looks = 0;
    await directoryOf(world, { changes: { identities: never } });
    expect(once).toBe(looks);
    expect(once).toBeGreaterThan(0);
  });

  it.each<[string, TestSigner | undefined, (world: World, who: TestSigner) => unknown]>([
    ["a log that does not prove itself", undefined, (world) => world.plc.override("", { json: [] })],
    ["a tombstone", undefined, async (_, who) => who.log.tombstone({ at: NOW })],
  ])("keeps nothing of %s", async (_, __, spoil) => {
    const who = await signer({ name: "carol" });
    await using world = await World.start(who);
    await spoil(world, who);
    await directoryOf(world, { who });
    expect(world.disk.count("identities")).toBe(0);
  });

  it("keeps nothing of a log that went back", async () => {
    await using world = await World.start(alice);
    await directoryOf(world, { memory: remembering({ operations: new Set(["bafyreilost"]) }) });
    expect([world.plc.count(), world.disk.count("identities")]).toEqual([2, 0]);
  });
});

describe("an identity of before", () => {
  const NEW = signingKey("k256", "new");
  const kinds = async (world: World, who: TestSigner) => {
    const items = await new SignerSearch(who.did, { digest: DIGEST }, world.context(BOTH)).ask();
    return items.map((item) => (item.kind === "gap" ? item.gap.code : item.kind));
  };

  it("whose PDS does not serve them is heard anew, of the first directory: they may have moved", async () => {
    const moving = await signer({ name: "moving" });
    await using world = await knowing(moving);
    const next = "https://next.example";
    await moving.log.update({ pds: next }, { at: NOW });
    world.http.places.set(moving.pds, "unreachable").set(next, world.pds);
    expect(await kinds(world, moving)).toEqual(["signature"]);
    expect([world.plc.count(), world.plc2.count()]).toEqual([1, 0]);
    expect(world.http.origins).toEqual([moving.pds, "https://plc.example", next]);
  });

  it("whose PDS does not serve them has the gap told where nothing is news", async () => {
    await using world = await knowing();
    world.http.places.set(alice.pds, "unreachable");
    expect(await kinds(world, alice)).toEqual(["pds.unreachable"]);
    expect([world.plc.count(), world.http.origins.filter((origin) => origin === alice.pds).length]).toEqual([1, 1]);
  });

  it("is not asked for once more where the PDS answers, and a fresh one is not because it does not", async () => {
    await using world = await knowing();
    expect(await kinds(world, alice)).toEqual(["signature"]);
    expect(world.plc.count()).toBe(0);
    await using fresh = await World.start(alice);
    fresh.http.places.set(alice.pds, "unreachable");
    expect(await kinds(fresh, alice)).toEqual(["pds.unreachable"]);
    expect(fresh.plc.count() + fresh.plc2.count()).toBe(1);
  });

  it("under which a signature does not verify is heard anew, of the first directory: the key may be another", async () => {
    const rotating = await signer({ name: "rotating" });
    await using world = await knowing(rotating);
    await rotating.log.update({ signingKey: NEW }, { at: NOW });
    await rotating.repo.resign(NOW, NEW);
    expect(await answer(world, policy([rotating.did]), { config: BOTH })).toBe("allow");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 0, 2]);
    // From now on the former one is known to be that.
    world.plc.forget();
    expect(await answer(world, policy([rotating.did]), { config: BOTH })).toBe("allow");
    expect([world.plc.count(), world.pds.count()]).toEqual([1, 3]);
  });

  it("brings nobody back whose account is closed by now, once that was seen", async () => {
    const closed = await signer({ name: "closed" });
    await using world = await knowing(closed);
    await closed.log.tombstone({ at: NOW });
    const operations = closed.log.entries().map(({ cid }) => cid);
    await world.disk.recordObservation({ signer: closed.did, revs: [], operations });
    expect(await answer(world, policy([closed.did]))).toBe("deny identity.deactivated");
  });
});
