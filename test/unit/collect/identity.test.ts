import { beforeAll, describe, expect, it, vi } from "vitest";
import { fetchIdentity } from "../../../src/collect/identity.ts";
import { toUtf8 } from "../../../src/encoding/bytes.ts";
import type { Rejection } from "../../../src/rejection.ts";
import { NOTHING_REMEMBERED } from "../../../src/verify/memory.ts";
import { NOW, signer, type TestSigner } from "../../support/evidence.ts";
import { World } from "../../support/world.ts";

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
    expect(await fetchIdentity(alice.did, world.context(BOTH), NOTHING_REMEMBERED, 1)).toMatchObject({ directory: 1 });
    expect(world.http.origins).toEqual([SECOND]);
    expect(await fetchIdentity(alice.did, world.context(BOTH), NOTHING_REMEMBERED, 2)).toMatchObject({ directory: 0 });
    world.plc2.override("", { status: 404 });
    expect(await fetchIdentity(alice.did, world.context(BOTH), NOTHING_REMEMBERED, 1)).toMatchObject({ directory: 0 });
  });

  it("takes a tombstone that is proven, and an identity that is of no use, as final", async () => {
    const closed = await signer({ name: "closed", others: 0 });
    await closed.log.tombstone({ at: NOW - 1000 });
    const useless = await signer({ name: "useless", others: 0, state: { pds: "ftp://x.example" } });
    await using world = await World.start(closed, useless);
    const codes: unknown[] = [];
    for (const { did } of [closed, useless]) {
      const found = await fetchIdentity(did, world.context(BOTH));
      codes.push((found.proof?.current as Rejection).code);
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
    [404, 500, "identity.unreachable"],
    [429, 404, "identity.unreachable"],
    [410, 410, "identity.unknown_did"],
  ])("says what is missing after %i and %i", async (first, second, code) => {
    await using world = await World.start();
    world.plc.override("", { status: first });
    world.plc2.override("", { status: second });
    const failed = fetchIdentity(alice.did, world.context(BOTH));
    await expect(failed).rejects.toMatchObject({ code });
    await expect(failed).rejects.toThrow(/plc\.example.*; .*plc2\.example/);
  });

  it("lets a bug through", async () => {
    await using world = await World.start();
    const context = { ...world.context(BOTH), http: () => Promise.reject(new TypeError("a bug")) };
    await expect(fetchIdentity(alice.did, context)).rejects.toThrow(TypeError);
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
    const found = await fetchIdentity(web.did, world.context(BOTH), NOTHING_REMEMBERED, 1);
    expect(found.proof?.current).toMatchObject({ did: web.did, pds: web.pds });
    expect(world.http.origins).toEqual(["https://web.example"]);
  });
});
