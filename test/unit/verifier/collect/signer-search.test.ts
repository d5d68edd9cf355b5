import { beforeAll, describe, expect, it, vi } from "vitest";
import type { ProofTarget } from "../../../../src/core/verify/prove.ts";
import type { Collected } from "../../../../src/verifier/collect/collect.ts";
import { SignerSearch } from "../../../../src/verifier/collect/signer-search.ts";
import { fixedDeadline } from "../../../support/deciding.ts";
import { DIGEST, NOW, signer, TAG, TAG_KEY, type TestSigner } from "../../../support/evidence.ts";
import { LOST_OPERATION } from "../../../support/node-disk.ts";
import { TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

/** A key that was seen before. */
const KNOWN = signingKey("k256", "known").did();

const SOUGHT: ProofTarget = { digest: DIGEST };
const TAGGED: ProofTarget = { digest: DIGEST, tag: TAG };
const ON_ATCR: ProofTarget = { ...TAGGED, repository: "app" };
const BOTH = { plcDirectories: ["https://plc.example", "https://plc2.example"] };

let alice: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
});

/** What came, in short: `record`, `record+tag`, `identity`, or a gap's service and code. */
function told(items: readonly Collected[] | undefined): readonly string[] | undefined {
  return items?.map((item) => {
    if (item.kind === "gap") return `${item.gap.service} ${item.gap.code}`;
    if (item.kind !== "signature") return item.kind;
    const { record, tag } = item.signature;
    return [record ? "record" : "identity", ...(tag ? ["tag"] : [])].join("+");
  });
}

const rkeys = (world: World) => world.pds.requests.map(({ query }) => String(query.get("rkey")));

describe("SignerSearch.ask", () => {
  it("asks what the node remembers first, then who the signer is, then what the repo says", async () => {
    await using world = await World.start(alice);
    await world.disk.recordObservation({ signer: alice.did, revs: [], key: KNOWN });
    const context = world.context();
    const asked: (readonly string[])[] = [];
    const loadHistory: typeof context.loadHistory = async (did) => {
      asked.push(world.http.origins, context.deadline.waitingFor());
      return context.loadHistory(did);
    };
    const search = new SignerSearch(alice.did, SOUGHT, { ...context, loadHistory });
    expect([search.memory, search.proof]).toEqual([undefined, undefined]);
    expect(told(await search.ask())).toEqual(["record"]);
    expect(asked).toEqual([[], ["the signer history"]]);
    expect(world.http.origins).toEqual(["https://plc.example", alice.pds]);
    expect([...(search.memory?.keys.keys() ?? [])]).toEqual([KNOWN]);
    expect(search.proof?.current).toMatchObject({ did: alice.did });
  });

  it("keeps the memory of before the asking", async () => {
    await using world = await World.start(alice);
    const search = new SignerSearch(alice.did, SOUGHT, world.context());
    await search.ask();
    await world.disk.recordObservation({ signer: alice.did, revs: [], key: KNOWN });
    await search.again();
    await search.refresh();
    expect(search.memory?.keys.size).toBe(0);
  });

  it.each<[string, ProofTarget, readonly string[], string]>([
    ["none is sought", SOUGHT, [DIGEST.slice(7)], "record"],
    ["the record names the repository", TAGGED, [DIGEST.slice(7), TAG_KEY], "record+tag"],
    ["the name does", { ...TAGGED, repository: "a/b" }, [DIGEST.slice(7), `a~b_${TAG}`], "record+tag"],
  ])("asks for the tag where it must: %s", async (_, sought, asked, expected) => {
    await using world = await World.start(alice);
    expect(told(await new SignerSearch(alice.did, sought, world.context()).ask())).toEqual([expected]);
    expect(rkeys(world).toSorted()).toEqual([...asked].toSorted());
  });

  it.each<[string, ProofTarget, string, readonly string[]]>([
    ["record", SOUGHT, "io.atcr.manifest", ["pds pds.unreachable"]],
    [
      "record, where the name says the repository",
      ON_ATCR,
      "io.atcr.manifest",
      ["pds pds.unreachable", "identity+tag"],
    ],
    ["record, where only it says the repository", TAGGED, "io.atcr.manifest", ["pds pds.unreachable"]],
    ["tag", TAGGED, TAG_COLLECTION, ["pds pds.unreachable", "record"]],
    ["tag, asked for at the same time", ON_ATCR, TAG_COLLECTION, ["pds pds.unreachable", "record"]],
    ["record and tag", ON_ATCR, "getRecord", ["pds pds.unreachable", "pds pds.unreachable"]],
    ["log", ON_ATCR, "", ["identity identity.unreachable"]],
  ])("leaves a gap for each answer that is missing: %s", async (what, sought, failing, expected) => {
    await using world = await World.start(alice);
    (what === "log" ? world.plc : world.pds).override(failing, { status: 503 });
    expect(told(await new SignerSearch(alice.did, sought, world.context()).ask())).toEqual(expected);
  });

  it("asks no PDS of an identity that is of no use, or that went back", async () => {
    const closed = await signer({ name: "closed" });
    await closed.log.tombstone({ at: NOW });
    await using world = await World.start(alice, closed);
    await world.disk.recordObservation({ signer: alice.did, revs: [], operations: [LOST_OPERATION] });
    for (const { did } of [alice, closed]) {
      const search = new SignerSearch(did, ON_ATCR, world.context());
      expect(told(await search.ask())).toEqual(["identity"]);
      expect(search.again() === undefined).toBe(did === alice.did);
    }
    expect(world.pds.requests).toEqual([]);
  });
});

describe("SignerSearch, asked a second time", () => {
  it("asks the PDS alone, once", async () => {
    await using world = await World.start(alice);
    const search = new SignerSearch(alice.did, ON_ATCR, world.context());
    expect(search.again()).toBeUndefined();
    await search.ask();
    expect(told(await search.again())).toEqual(["record+tag"]);
    expect(search.again()).toBeUndefined();
    expect([world.plc.count(), world.pds.count()]).toEqual([1, 4]);
  });

  it.each([
    ["a quarter of a second", 8000, true],
    ["what is left of the time", 200, false],
  ])("asks the PDS after a pause, for a replica to catch up: %s", async (_, left, isWhole) => {
    await using world = await World.start(alice);
    const context = world.context();
    const http: typeof context.http = (request) => context.http(request, context.deadline);
    const deadline = fixedDeadline(left);
    const search = new SignerSearch(alice.did, SOUGHT, { ...context, http, deadline });
    await search.ask();
    const timers = vi.spyOn(globalThis, "setTimeout");
    const again = search.again();
    expect(timers.mock.calls.map(([, delay]) => delay)).toEqual([isWhole ? 250 : left]);
    timers.mockRestore();
    expect([deadline.waitingFor(), world.pds.count()]).toEqual([["a second answer of the PDS"], 1]);
    expect(told(await again)).toEqual(["record"]);
    expect([deadline.waitingFor(), world.pds.count()]).toEqual([[], 2]);
  });

  it("asks for the identity once, beginning with the next directory, and for the record where it is news", async () => {
    const moved = await signer({ name: "alice", tag: {} });
    await moved.log.update({ handle: "new.test" }, { at: NOW });
    await using world = await World.start(alice);
    world.plc2.add(moved.log);
    const search = new SignerSearch(alice.did, SOUGHT, world.context(BOTH));
    expect(await search.refresh()).toEqual([]);
    await search.ask();
    expect(told(await search.refresh())).toEqual(["record"]);
    expect(search.proof?.history).toHaveLength(2);
    expect(await search.refresh()).toEqual([]);
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 2]);
  });

  it("may ask in both ways", async () => {
    await using world = await World.start(alice);
    const search = new SignerSearch(alice.did, SOUGHT, world.context(BOTH));
    await search.ask();
    expect(await search.refresh()).toEqual([]);
    expect(told(await search.again())).toEqual(["record"]);
  });

  it("takes no older log for news, as far as this node remembers", async () => {
    const moved = await signer({ name: "alice" });
    await moved.log.update({ signingKey: signingKey("k256", "new") }, { at: NOW });
    await using world = await World.start(moved);
    await world.disk.recordObservation({
      signer: alice.did,
      revs: [],
      operations: moved.log.entries().map(({ cid }) => cid),
    });
    world.plc2.add(alice.log);
    const search = new SignerSearch(alice.did, SOUGHT, world.context(BOTH));
    await search.ask();
    expect(await search.refresh()).toEqual([]);
    expect(search.proof?.history).toHaveLength(2);
  });
});

describe("SignerSearch, the most requests for one signer", () => {
  const busy = { status: 503 };

  it("is 12 to the only directory", async () => {
    const moved = await signer({ name: "alice" });
    await moved.log.update({ handle: "new.test" }, { at: NOW });
    await using world = await World.start(alice);
    await world.disk.recordObservation({
      signer: alice.did,
      revs: [],
      operations: moved.log.entries().map(({ cid }) => cid),
    });
    const [short, whole] = [{ json: alice.log.entries() }, { json: moved.log.entries() }];
    const once = [busy, busy, short, busy, busy, whole];
    world.plc.override("", ...once, ...once);
    const search = new SignerSearch(alice.did, SOUGHT, world.context());
    expect(told(await search.ask())).toEqual(["record"]);
    await search.refresh();
    expect(await search.refresh()).toEqual([]);
    expect(world.plc.count()).toBe(12);
  });

  it("is 18 to a PDS: three for each of two records, which are asked for three times", async () => {
    const moved = await signer({ name: "alice", tag: {} });
    await moved.log.update({ handle: "new.test" }, { at: NOW });
    await using world = await World.start(alice);
    world.plc2.add(moved.log);
    world.pds.override("", busy);
    const search = new SignerSearch(alice.did, ON_ATCR, world.context(BOTH));
    await search.ask();
    expect(world.pds.count()).toBe(6);
    await search.refresh();
    expect(world.pds.count()).toBe(12);
    // The tag is asked for after the digest then, which must be answered.
    world.pds.override("", busy, busy, "usual", busy);
    await search.again();
    expect([await search.refresh(), search.again()]).toEqual([[], undefined]);
    expect([world.pds.count(), world.plc.count(), world.plc2.count()]).toEqual([18, 1, 1]);
  });
});
