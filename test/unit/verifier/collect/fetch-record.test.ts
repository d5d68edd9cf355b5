import { beforeAll, describe, expect, it } from "vitest";
import { recordAddress } from "../../../../src/core/evidence/record-path.ts";
import { fetchRecord } from "../../../../src/verifier/collect/fetch-record.ts";
import { asDid, DIGEST, NOW, signer, type TestSigner } from "../../../support/evidence.ts";
import type { Answer } from "../../../support/http-server.ts";
import { World } from "../../../support/world.ts";

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
    ["pds.bad_response", error("InternalServerError", 500)],
    ["pds.bad_response", error("MethodNotImplemented", 501)],
    ["pds.repo_unavailable", error("RepoTakendown", 500)],
    ["pds.repo_unavailable", error("RepoNotFound", 200)],
    ["pds.unreachable", { status: 503 }],
    ["pds.bad_response", { body: "<!doctype html><title>Maintenance</title>" }],
    ["pds.bad_response", { body: '{"error":"InternalServerError"}' }],
    ["pds.bad_response", { body: "Maintenance", headers: { "content-type": "text/html; charset=utf-8" } }],
    ["pds.bad_response", { body: "[]", headers: { "content-type": "application/json" } }],
    ["none", { body: "whatever it is" }],
    // A CAR is a CAR, whatever its type, and also where its header is as long as the code of "<" or "{".
    ["none", { body: Buffer.of(0x3a, 0xa2, 0x65), headers: { "content-type": "text/html" } }],
    ["none", { body: Buffer.of(0x3c, 0xa2, 0x65) }],
    ["none", { body: Buffer.of(0x7b, 0xa2, 0x65) }],
    ["none", { body: Buffer.of(0xbc, 0x01, 0xa2), headers: { "content-type": "application/json" } }],
  ])("answers %s (case %#)", async (expected, answer) => {
    await using world = await World.start(alice);
    world.pds.override("", answer);
    expect(await code(world)).toBe(expected);
    expect(world.http.origins).toEqual([alice.pds]);
  });

  it.each<[string, Answer, RegExp]>([
    [
      "a record that is not there",
      { status: 404, json: { error: "RecordNotFound", message: "Record not found" } },
      /answered with status 404: it says "RecordNotFound: Record not found", without the proof/,
    ],
    [
      "an account that is gone",
      { status: 400, json: { error: "InvalidRequest", message: "account is deactivated\n\u001b[1m" } },
      /answered with status 400: it says "InvalidRequest: account is deactivated \?\[1m"$/,
    ],
    ["a repo", { status: 400, json: { error: "RepoNotFound" } }, /does not serve \S+: it says "RepoNotFound"$/],
    [
      "a method that it lacks",
      { status: 501, json: { error: "MethodNotImplemented" } },
      /501.*"MethodNotImplemented"$/,
    ],
    ["an error with status 200", { json: { error: "Oops" } }, /text instead of a proof \(CAR\): it says "Oops"$/],
    [
      "a page",
      { body: "<!doctype html>", headers: { "content-type": "text/html" } },
      /text instead of a proof \(CAR\): its type is "text\/html"$/,
    ],
  ])("says what the PDS says of %s", async (_, answer, expected) => {
    await using world = await World.start(alice);
    world.pds.override("", answer);
    await expect(fetchRecord(identity(), ADDRESS, world.context())).rejects.toThrow(expected);
  });

  it.each<[string, Answer, boolean]>([
    ["RecordNotFound", error("RecordNotFound"), true],
    ["RecordNotFound, 404", error("RecordNotFound", 404), true],
    ["RecordNotFound, 500", error("RecordNotFound", 500), true],
    ["NotFound", error("NotFound", 404), true],
    ["another name", error("InvalidRequest"), false],
    ["no name", { status: 404 }, false],
    ["a page", { status: 404, body: "<html>RecordNotFound" }, false],
  ])("tells whether the PDS says that there is no record: %s", async (_, answer, saysAbsent) => {
    await using world = await World.start(alice);
    world.pds.override("", answer);
    await expect(fetchRecord(identity(), ADDRESS, world.context())).rejects.toMatchObject({
      code: "pds.bad_response",
      saysAbsent,
    });
  });

  it("counts as of when it was asked for, not of when it was answered", async () => {
    await using world = await World.start(alice);
    const context = world.context();
    const http: typeof context.http = async (request, deadline) => {
      const answer = await context.http(request, deadline);
      world.now += 5000;
      return answer;
    };
    expect(await fetchRecord(identity(), ADDRESS, { ...context, http })).toMatchObject({ fetchedAt: NOW });
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
