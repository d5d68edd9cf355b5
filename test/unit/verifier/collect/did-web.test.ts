import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { NOTHING_ALLOWED } from "../../../../src/core/config/network-allow.ts";
import { fetchDidWeb } from "../../../../src/verifier/collect/did-web.ts";
import { type DocumentForm, didDocument } from "../../../support/did-document.ts";
import { asDid, NOW } from "../../../support/evidence.ts";
import type { Answer } from "../../../support/http-server.ts";
import { proveIdentity } from "../../../support/identity.ts";
import { type Curve, signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";
// Untransformed it takes longer to load than the timeouts below.
import "../../../../src/verifier/collect/reference-resolvers.ts";

const DID = asDid("did:web:alice.example");
const ORIGIN = "https://alice.example";
const PDS = "https://pds.example";

async function serving(answer: Answer, origin = ORIGIN): Promise<World> {
  const world = await World.start();
  world.http.places.set(origin, world.pds);
  world.pds.override("/.well-known/did.json", answer);
  return world;
}

async function code(world: World, did: Did = DID, hosts: readonly string[] = []): Promise<unknown> {
  const config = { network: { ...NOTHING_ALLOWED, hosts } };
  return fetchDidWeb(did, world.context(config)).then(
    () => "none",
    (error: unknown) => (error as { code?: unknown }).code,
  );
}

describe("fetchDidWeb", () => {
  const forms: readonly DocumentForm[] = ["multikey", "fragment", "legacy", "legacy-compressed"];
  const curves: readonly Curve[] = ["k256", "p256"];
  it.each(forms.flatMap((form) => curves.map((curve) => ({ form, curve }))))(
    "fetches a document of the form $form, $curve",
    async ({ form, curve }) => {
      const key = signingKey(curve, "web");
      await using world = await serving({ json: didDocument({ did: DID, key, pds: PDS, form }) });
      const fetched = await fetchDidWeb(DID, world.context({ didResolverTimeout: 1234 }));
      expect(fetched).toMatchObject({ url: `${ORIGIN}/.well-known/did.json`, fetchedAt: NOW });
      expect(proveIdentity(DID, fetched.bytes)).toMatchObject({ key: { didKey: key.did() }, pds: PDS });
      expect(world.http.asked).toEqual([
        {
          url: `${ORIGIN}/.well-known/did.json`,
          accept: "application/did+ld+json,application/json",
          maxBytes: 512 * 1024,
          timeout: 1234,
          maxRedirects: 0,
          originMayBePrivate: false,
          purpose: "did:web host",
        },
      ]);
    },
  );

  it.each<[string, Answer, string]>([
    ["of another DID", { json: didDocument({ did: "did:web:other.example", pds: PDS }) }, "identity.invalid"],
    ["that is no object", { json: null }, "identity.bad_response"],
    ["that is no JSON", { body: "<html>" }, "identity.bad_response"],
    ["that is empty", { body: "" }, "identity.bad_response"],
    ["that is no UTF-8", { body: new Uint8Array([0xff]) }, "identity.bad_response"],
  ])("leaves a document %s to the core, as it came", async (_, answer, code) => {
    await using world = await serving(answer);
    const { bytes } = await fetchDidWeb(DID, world.context());
    expect(() => proveIdentity(DID, bytes)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    [404, "identity.unknown_did"],
    [410, "identity.unknown_did"],
    [204, "identity.bad_response"],
    [401, "identity.bad_response"],
    [429, "identity.unreachable"],
    [500, "identity.bad_response"],
    [503, "identity.unreachable"],
  ])("calls the status %i %s", async (status, expected) => {
    await using world = await serving({ status, body: status === 204 ? "" : "{}" });
    expect(await code(world)).toBe(expected);
  });

  it("follows no redirect", async () => {
    await using world = await serving({ status: 302, headers: { location: "https://trap.example/did.json" } });
    expect(await code(world)).toBe("identity.bad_response");
    expect(world.http.origins).toEqual([ORIGIN]);
  });

  it.each([
    ["unreachable", "identity.unreachable"],
    ["forbidden_address", "net.forbidden_address"],
    ["tls", "net.tls"],
    ["bad_response", "identity.bad_response"],
  ] as const)("calls the failure %s %s", async (kind, expected) => {
    await using world = await World.start();
    world.http.places.set(ORIGIN, kind);
    expect(await code(world)).toBe(expected);
  });

  it("asks at a port only where the administrator lists the host", async () => {
    const did = asDid("did:web:alice.example%3A8443");
    await using world = await serving({ json: {} }, `${ORIGIN}:8443`);
    for (const hosts of [[], ["example"], ["alice.example:8444"], ["alice.example:844"], ["bob.example:8443"]]) {
      expect(await code(world, did, hosts)).toBe("net.forbidden_address");
    }
    expect(world.http.asked).toEqual([]);
    expect(await code(world, did, ["alice.example:8443"])).toBe("none");
    expect(await code(world, did, ["alice.example"])).toBe("none");
    expect(world.http.origins).toEqual([`${ORIGIN}:8443`]);
  });

  it("speaks plain http to localhost alone, whose port must be listed too", async () => {
    const did = asDid("did:web:localhost%3A8080");
    await using world = await serving({ json: {} }, "http://localhost:8080");
    expect(await code(world, did)).toBe("net.forbidden_address");
    expect(await code(world, did, ["localhost:8080"])).toBe("none");
    expect(world.http.origins).toEqual(["http://localhost:8080"]);
  });

  it.each([
    ["did:web:alice.example%3A443", ORIGIN],
    ["did:web:xn--bcher-kva.example", "https://xn--bcher-kva.example"],
    ["did:web:localhost%3A443", "http://localhost"],
    ["did:web:localhost%3A80", "http://localhost:80"],
  ])("asks for %s where the reference resolver does: %s", async (did, origin) => {
    await using world = await serving({ json: {} }, new URL(origin).origin);
    expect(await code(world, asDid(did), ["alice.example", "localhost"])).toBe("none");
    expect(world.http.asked.map(({ url }) => url)).toEqual([`${new URL(origin).origin}/.well-known/did.json`]);
  });

  it("lets a bug through", async () => {
    await using world = await World.start();
    const context = { ...world.context(), http: () => Promise.reject(new TypeError("a bug")) };
    await expect(fetchDidWeb(DID, context)).rejects.toThrow(TypeError);
  });
});
