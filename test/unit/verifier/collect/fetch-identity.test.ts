import { beforeAll, describe, expect, it, vi } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
import { NO_HISTORY, type SignerHistory } from "../../../../src/core/verify/signer-history.ts";
import type { UnavailableError } from "../../../../src/verifier/collect/context.ts";
import { fetchIdentity } from "../../../../src/verifier/collect/fetch-identity.ts";
import { json, NOW, signer, type TestSigner } from "../../../support/evidence.ts";
import type { Answer } from "../../../support/http-server.ts";
import { World } from "../../../support/world.ts";

const [FIRST, SECOND] = ["https://plc.example", "https://plc2.example"];
const BOTH = { plcDirectories: [FIRST, SECOND] as string[] };

let alice: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", others: 0 });
});

describe("fetchIdentity of a did:plc", () => {
  it("asks the directory for the log and proves it", async () => {
    await using world = await World.start(alice);
    const context = world.context({ didResolverTimeout: 1234 });
    const found = await fetchIdentity(alice.did, context);
    const url = `${FIRST}/${alice.did}/log/audit`;
    expect(found).toMatchObject({ directory: 0, fetched: { url, bytes: alice.log.bytes(), fetchedAt: NOW } });
    expect(found.proof?.current).toMatchObject({ did: alice.did, key: { didKey: alice.key.did() }, pds: alice.pds });
    expect(world.http.asked).toEqual([
      expect.objectContaining({
        url,
        timeout: 1234,
        maxBytes: 512 * 1024,
        maxRedirects: 0,
        originMayBePrivate: false,
        purpose: "directory",
      }),
    ]);
  });

  it.each([
    ["knows no such DID", (world: World) => world.plc.override("", { status: 404 })],
    ["fails", (world: World) => world.plc.override("", { status: 500 })],
    ["redirects", (world: World) => world.plc.override("", { status: 302, headers: { location: "/x" } })],
    ["cannot be reached", (world: World) => world.http.places.set(FIRST, "unreachable")],
    ["is at a forbidden address", (world: World) => world.http.places.set(FIRST, "forbidden_address")],
    ["cannot prove its name", (world: World) => world.http.places.set(FIRST, "tls")],
    ["serves no JSON", (world: World) => world.plc.override("", { body: "<html>" })],
    ["serves a log without its genesis", (world: World) => world.plc.override("", { json: [] })],
    ["serves too much", (world: World) => world.plc.override("", { body: " ".repeat(512 * 1024 + 1) })],
    ["is silent", (world: World) => world.plc.delay(60_000)],
  ])("asks the next directory where one %s", async (_, spoil) => {
    await using world = await World.start(alice);
    spoil(world);
    const found = await fetchIdentity(alice.did, world.context({ ...BOTH, didResolverTimeout: 1000 }));
    expect(found).toMatchObject({ directory: 1, proof: { current: { did: alice.did } } });
    expect(world.http.origins).toEqual([FIRST, SECOND]);
  });

  it("begins with the directory it is told, and comes round", async () => {
    await using world = await World.start(alice);
    expect(await fetchIdentity(alice.did, world.context(BOTH), NO_HISTORY, 1)).toMatchObject({ directory: 1 });
    expect(world.http.origins).toEqual([SECOND]);
    expect(await fetchIdentity(alice.did, world.context(BOTH), NO_HISTORY, 2)).toMatchObject({ directory: 0 });
    world.plc2.override("", { status: 404 });
    expect(await fetchIdentity(alice.did, world.context(BOTH), NO_HISTORY, 1)).toMatchObject({ directory: 0 });
  });

  it("takes a tombstone that is proven, and an identity that is of no use, as final", async () => {
    const closed = await signer({ name: "closed", others: 0 });
    await closed.log.tombstone({ at: NOW - 1000 });
    const useless = await signer({ name: "useless", others: 0, state: { pds: "ftp://x.example" } });
    await using world = await World.start(closed, useless);
    const codes: unknown[] = [];
    for (const { did } of [closed, useless]) {
      const found = await fetchIdentity(did, world.context(BOTH));
      const current = found.proof?.current;
      codes.push(current instanceof Rejection ? current.code : current);
    }
    expect(codes).toEqual(["identity.deactivated", "identity.invalid"]);
    expect(world.http.origins).toEqual([FIRST]);
  });

  it("keeps the invalid log as evidence where no directory has a better one", async () => {
    await using world = await World.start(alice);
    world.plc.override("", { json: [] });
    world.plc2.override("", { status: 404 });
    const found = await fetchIdentity(alice.did, world.context(BOTH));
    expect(found).toMatchObject({ directory: 0, fetched: { bytes: toUtf8("[]") } });
    expect(found.proof).toBeUndefined();
  });

  it.each([
    [404, 404, "identity.unknown_did"],
    [404, 503, "identity.unknown_did"],
    [404, 500, "identity.bad_response"],
    [500, 503, "identity.bad_response"],
    [429, 404, "identity.unknown_did"],
    [429, 503, "identity.unreachable"],
    [410, 410, "identity.unknown_did"],
    [500, 400, "identity.bad_response"],
    [400, 500, "identity.bad_response"],
    [404, 400, "identity.bad_response"],
  ])("says what is missing after %i and %i, and whether all directories say so", async (first, second, code) => {
    await using world = await World.start();
    world.plc.override("", { status: first });
    world.plc2.override("", { status: second });
    const failed = fetchIdentity(alice.did, world.context(BOTH));
    const isKnownNowhere = [first, second].every((status) => status === 404 || status === 410);
    await expect(failed).rejects.toMatchObject({ code, isKnownNowhere });
    await expect(failed).rejects.toThrow(/plc\.example.*; .*plc2\.example/);
  });

  it("lets a bug through", async () => {
    await using world = await World.start();
    const context = { ...world.context(BOTH), http: () => Promise.reject(new TypeError("a bug")) };
    await expect(fetchIdentity(alice.did, context)).rejects.toThrow(TypeError);
  });
});

describe("fetchIdentity, where directories are busy", () => {
  const asked = (world: World) => world.http.asked.map(({ url }) => (url.startsWith(FIRST) ? 1 : 2));

  it("says what the directories say", async () => {
    await using world = await World.start();
    world.plc.override("", { status: 404, json: { message: "DID not registered" } });
    world.plc2.override("", { status: 400, json: { error: "Bad\u202e", message: 'no "DID"' } });
    await expect(fetchIdentity(alice.did, world.context(BOTH))).rejects.toThrow(
      /does not know \S+: it says "DID not registered"; plc2\.example answered with status 400: it says "Bad\?: no 'DID'"$/,
    );
  });

  it("asks each once before one is asked again, three times each, and says how often", async () => {
    await using world = await World.start();
    world.plc.override("", { status: 503 });
    world.plc2.override("", { status: 429 });
    const failed = await fetchIdentity(alice.did, world.context(BOTH)).catch((error: UnavailableError) => error);
    expect(asked(world).slice(0, 3)).toEqual([1, 2, 1]);
    expect([world.plc.count(), world.plc2.count()]).toEqual([3, 3]);
    expect(failed).toMatchObject({ code: "identity.unreachable" });
    const often = String.raw`\(3 attempts in \d\.\d s\)`;
    expect((failed as UnavailableError).message).toMatch(
      new RegExp(`^plc\\.example answered with status 503 ${often}; plc2\\.example answered with status 429 ${often}$`),
    );
  });

  it.each<[string, readonly (Answer | "usual")[], readonly (Answer | "usual")[], readonly number[]]>([
    ["the next one knows", [{ status: 503 }], ["usual"], [1, 2]],
    ["the next one is asked for ever", [{ status: 503 }, "usual"], [{ status: 503 }], [1, 2, 1]],
    ["the next one does not know the DID", [{ status: 503 }, "usual"], [{ status: 404 }], [1, 2, 1]],
    ["the next one serves an invalid log", [{ status: 503 }, "usual"], [{ json: [] }], [1, 2, 1]],
    [
      "a directory asks for more than there is time for",
      [{ status: 503, headers: { "retry-after": "60" } }],
      [{ status: 503 }, { status: 503 }, "usual"],
      [1, 2, 2, 2],
    ],
  ])("finds the log: %s", async (_, first, second, expected) => {
    await using world = await World.start(alice);
    world.plc.override("", ...first);
    world.plc2.override("", ...second);
    const found = await fetchIdentity(alice.did, world.context(BOTH));
    expect(found).toMatchObject({ directory: (expected.at(-1) ?? 0) - 1, proof: { did: alice.did } });
    expect(asked(world)).toEqual(expected);
  });

  it("does not ask again who was silent, or who knows no such DID", async () => {
    await using world = await World.start(alice);
    world.plc.delay(60_000);
    world.plc2.override("", { status: 404 });
    await expect(fetchIdentity(alice.did, world.context({ ...BOTH, didResolverTimeout: 300 }))).rejects.toThrow();
    expect(asked(world)).toEqual([1, 2]);
  });

  it("asks the only directory six times at most: three for the log, three for one that lost no operation", async () => {
    await using world = await World.start(alice);
    const busy = { status: 503 };
    world.plc.override("", busy, busy, "usual", busy, busy, "usual");
    const memory = { ...NO_HISTORY, operations: new Set(["lost"]) };
    const found = await fetchIdentity(alice.did, world.context(), memory);
    expect(found.proof).toBeUndefined();
    expect(world.plc.count()).toBe(6);
  });
});

describe("fetchIdentity of a signer whom this node remembers", () => {
  /** Alice after one more operation; the node has seen it. */
  async function grown(): Promise<{ long: TestSigner; memory: SignerHistory }> {
    const long = await signer({ name: "alice", others: 0 });
    await long.log.update({ handle: "new.test" }, { at: NOW - 1000 });
    const operations = new Set(long.log.entries().map(({ cid }) => cid));
    return { long, memory: { ...NO_HISTORY, operations } };
  }

  type Answers = "long" | "short" | "invalid" | 404;
  it.each<[string, readonly [Answers, Answers], number, object, number]>([
    ["the whole log", ["long", "short"], 2, { directory: 0, proof: { did: expect.any(String) as unknown } }, 1],
    ["a shorter one first", ["short", "long"], 2, { directory: 1, proof: { did: expect.any(String) as unknown } }, 2],
    ["a shorter one twice", ["short", "short"], 2, { directory: 0, proof: undefined }, 2],
    ["a shorter one, then an invalid one", ["short", "invalid"], 2, { directory: 0, proof: undefined }, 2],
    ["an invalid one, then a shorter one", ["invalid", "short"], 2, { directory: 1, proof: undefined }, 2],
    ["a shorter one, then none", ["short", 404], 2, { directory: 0, proof: undefined }, 2],
    ["a shorter one, by the only directory", ["short", "long"], 1, { directory: 0, proof: undefined }, 2],
    ["an invalid one, by the only directory", ["invalid", "long"], 1, { directory: 0, proof: undefined }, 1],
  ])("is served %s", async (_, answers, directories, expected, requests) => {
    const { long, memory } = await grown();
    await using world = await World.start(long);
    const logs = { long: { json: long.log.entries() }, short: { json: alice.log.entries() }, invalid: { json: [] } };
    [world.plc, world.plc2].forEach((server, i) => {
      const what = answers[i] ?? 404;
      server.override("", what === 404 ? { status: 404 } : logs[what]);
    });
    const config = { plcDirectories: [FIRST, SECOND].slice(0, directories) as string[] };
    const found = await fetchIdentity(alice.did, world.context(config), memory);
    expect({ proof: undefined, ...found }).toMatchObject(expected);
    const served = answers[found.directory] ?? 404;
    expect(found.fetched.bytes).toEqual(served === 404 ? undefined : json(logs[served].json));
    expect(world.http.asked).toHaveLength(requests);
  });

  it("is asked for once more at the only directory", async () => {
    const { long, memory } = await grown();
    await using world = await World.start(long);
    world.plc.override("", { json: alice.log.entries() }, "usual");
    const found = await fetchIdentity(alice.did, world.context(), memory);
    expect(found.proof?.history).toHaveLength(2);
    expect(world.plc.count()).toBe(2);
  });

  it("has one directory's failures and another's old log told by the old log", async () => {
    const { long, memory } = await grown();
    await using world = await World.start(long);
    world.plc.override("", { status: 500 });
    world.plc2.override("", { json: alice.log.entries() });
    expect(await fetchIdentity(alice.did, world.context(BOTH), memory)).toMatchObject({ directory: 1 });
  });
});

describe("fetchIdentity, a bug in the proof", () => {
  it("is not taken for an invalid log", async () => {
    await using world = await World.start(alice);
    const context = world.context();
    const http: typeof context.http = async (request, deadline) => {
      const response = await context.http(request, deadline);
      vi.spyOn(Array, "isArray").mockImplementationOnce(() => {
        throw new TypeError("a bug");
      });
      return response;
    };
    await expect(fetchIdentity(alice.did, { ...context, http })).rejects.toThrow("a bug");
    vi.restoreAllMocks();
  });
});

describe("fetchIdentity of a did:web", () => {
  it("proves the document of its host and asks no directory", async () => {
    const web = await signer({ name: "web", method: "web", others: 0 });
    await using world = await World.start(web);
    const found = await fetchIdentity(web.did, world.context(BOTH), NO_HISTORY, 1);
    expect(found.proof?.current).toMatchObject({ did: web.did, pds: web.pds });
    expect(world.http.origins).toEqual(["https://web.example"]);
  });
});
