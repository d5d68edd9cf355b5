import { beforeAll, describe, expect, it } from "vitest";
import { fetchRecord } from "../../../src/collect/record.ts";
import { recordAddress } from "../../../src/verify/claim.ts";
import { asDid, DIGEST, NOW, signer, type TestSigner } from "../../support/evidence.ts";
import type { Answer } from "../../support/http-server.ts";
import { World } from "../../support/world.ts";

const ADDRESS = recordAddress(DIGEST);

let alice: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", others: 0 });
});

const identity = (did = alice.did) => ({
  did,
  key: { didKey: "", curve: "k256", bytes: new Uint8Array() } as never,
  formerKeys: new Set<string>(),
  pds: alice.pds,
  handles: [],
  services: [],
});

async function code(world: World): Promise<unknown> {
  return fetchRecord(identity(), ADDRESS, world.context()).then(
    () => "none",
    (error: unknown) => (error as { code?: unknown }).code,
  );
}

describe("fetchRecord", () => {
  it("asks the identity's PDS for the record of this digest", async () => {
    await using world = await World.start(alice);
    const expected = await alice.record();
    const fetched = await fetchRecord(identity(), ADDRESS, world.context({ pdsTimeout: 1234 }));
    expect(fetched.bytes).toEqual(expected.bytes);
    expect(fetched.fetchedAt).toBe(NOW);
    const url = new URL(fetched.url);
    expect(url.origin + url.pathname).toBe(`${alice.pds}/xrpc/com.atproto.sync.getRecord`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      did: alice.did,
      collection: "io.atcr.manifest",
      rkey: DIGEST.slice("sha256:".length),
    });
    expect(world.http.asked[0]).toMatchObject({
      timeout: 1234,
      maxBytes: 2 * 1024 * 1024,
      maxRedirects: 0,
      originMayBePrivate: false,
      purpose: "PDS",
    });
  });

  it("asks for a DID with a port by the DID that it is", async () => {
    await using world = await World.start(alice);
    await fetchRecord(identity(asDid("did:web:a.example%3A8443")), ADDRESS, world.context()).catch(() => {});
    expect(world.pds.requests[0]?.query.get("did")).toBe("did:web:a.example%3A8443");
  });

  const error = (name: unknown, status = 400): Answer => ({ status, json: { error: name } });
  const long = (name: string, size: number): string => JSON.stringify({ error: name }).padEnd(size);
  it.each<[string, Answer]>([
    ["pds.repo_unavailable", error("RepoNotFound")],
    ["pds.repo_unavailable", error("RepoDeactivated")],
    ["pds.repo_unavailable", error("RepoTakendown")],
    ["pds.repo_unavailable", error("RepoSuspended")],
    ["pds.repo_unavailable", error("RepoNotFound", 404)],
    ["pds.repo_unavailable", { status: 400, body: long("RepoNotFound", 4096) }],
    ["pds.bad_response", { status: 400, body: long("RepoNotFound", 4097) }],
    ["pds.bad_response", error("RecordNotFound")],
    ["pds.bad_response", error(["RepoNotFound"])],
    ["pds.bad_response", { status: 400, body: "<html>" }],
    ["pds.bad_response", { status: 400, json: ["RepoNotFound"] }],
    ["pds.bad_response", { status: 404 }],
    ["pds.bad_response", { status: 206 }],
    ["pds.bad_response", { status: 302, headers: { location: "https://trap.example/" } }],
    ["pds.bad_response", { body: " ".repeat(2 * 1024 * 1024 + 1) }],
    ["pds.unreachable", { status: 429 }],
    ["pds.unreachable", error("InternalServerError", 500)],
    ["pds.unreachable", { status: 503 }],
    ["none", { body: "whatever it is" }],
  ])("answers %s (case %#)", async (expected, answer) => {
    await using world = await World.start(alice);
    world.pds.override("", answer);
    expect(await code(world)).toBe(expected);
    expect(world.http.origins).toEqual([alice.pds]);
  });

  it.each([
    ["unreachable", "pds.unreachable"],
    ["forbidden_address", "net.forbidden_address"],
    ["tls", "net.tls"],
    ["bad_response", "pds.bad_response"],
  ] as const)("calls the failure %s %s", async (kind, expected) => {
    await using world = await World.start(alice);
    world.http.places.set(alice.pds, kind);
    expect(await code(world)).toBe(expected);
  });
});
