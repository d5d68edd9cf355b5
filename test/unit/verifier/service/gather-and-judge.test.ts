import { beforeAll, describe, expect, it } from "vitest";
import type { TrustPolicy } from "../../../../src/core/policy/policy.ts";
import { answer, BOTH, decide, HANGS, nobodies, PATIENT, policy } from "../../../support/deciding.ts";
import { asDid, DIGEST, NOW, signer, subject, type TestSigner, trusted } from "../../../support/evidence.ts";
import { payloadOf, World } from "../../../support/world.ts";

/** Alice and Bob signed the image; Carol has a repo and did not. */
let alice: TestSigner;
let bob: TestSigner;
let carol: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  bob = await signer({ name: "bob", curve: "p256" });
  carol = await signer({ name: "carol", record: null });
});

describe("decide, without evidence", () => {
  const digests = new Map([[DIGEST, [0, 1] as const]]);
  it.each<[string, Partial<TrustPolicy>, string]>([
    ["a digest that is denied", { deniedDigests: digests }, "deny policy.denied"],
    ["a digest that is allowed", { allowedDigests: digests }, "allow"],
    ["no rule", { rules: [] }, "deny policy.no_match"],
    ["no rule where the default allows", { rules: [], fallback: "allow" }, "allow"],
  ])("asks nothing for %s", async (_, changes, expected) => {
    await using world = await World.start(alice);
    expect(await answer(world, { ...policy([alice.did]), ...changes })).toBe(expected);
    expect(world.http.asked).toEqual([]);
  });

  it.each([
    ["allow", "allow"],
    ["deny", "deny policy.denied"],
  ] as const)("asks nothing where a rule says %s", async (action, expected) => {
    await using world = await World.start(alice);
    expect(await answer(world, policy([alice.did], {}, { action }))).toBe(expected);
    expect(world.http.asked).toEqual([]);
  });

  it.each([
    ["signer.expired", { expiresAt: NOW }],
    ["signer.not_yet_valid", { validFrom: NOW + 1 }],
    ["signer.revoked", { revoked: true }],
  ])("asks nothing where nobody counts: %s", async (code, changes) => {
    await using world = await World.start(alice);
    world.attach({ did: alice.did });
    expect(await answer(world, policy([trusted(alice.did, changes)]))).toBe(`deny ${code}`);
    expect(world.http.asked).toEqual([]);
  });
});

describe("decide, whom it contacts", () => {
  it("is nobody whose word does not count, though a referrer names them", async () => {
    await using world = await World.start(alice, bob, carol);
    world.attach({ did: alice.did });
    world.attach({ payload: payloadOf(bob.did) });
    const signers = [trusted(alice.did, { revoked: true }), trusted(bob.did, { expiresAt: NOW }), carol.did];
    expect(await answer(world, policy(signers))).toBe("deny signer.revoked");
    expect(world.contacted).toEqual([carol.did]);
  });

  it("is nobody whom the rule does not trust, and no host that the registry names", async () => {
    await using world = await World.start(alice, bob, carol);
    world.attach({ did: alice.did, annotations: { "io.atcr.atproto.pds": "https://trap.example" } });
    world.attach({ payload: payloadOf(bob.did) });
    world.attach({ payload: payloadOf(carol.did) });
    const stranger = asDid("did:web:trap.example");
    world.attach({ did: stranger });
    expect(await answer(world, policy([carol.did]))).toBe("deny record.absent");
    expect(world.contacted).toEqual([carol.did]);
    expect([...world.http.origins].sort()).toEqual([
      "https://pds.carol.example",
      "https://plc.example",
      "https://registry.example",
    ]);
  });

  it("is each signer once, however many referrers name them", async () => {
    await using world = await World.start(alice, carol);
    world.attach({ did: carol.did });
    world.attach({ payload: payloadOf(carol.did) });
    world.attach({ payload: payloadOf(carol.did, { n: 2 }) });
    for (const signers of [[carol.did], [carol.did, ...nobodies(16)]]) {
      world.pds.forget();
      world.plc.forget();
      expect(await answer(world, policy(signers))).toBe("deny record.absent");
      expect(world.plc.count(carol.did)).toBe(1);
      expect(world.pds.count()).toBe(1);
    }
  });

  it("is everybody where the rule names 16", async () => {
    await using world = await World.start(alice);
    const signers = [...nobodies(15), alice.did];
    expect(await answer(world, policy(signers))).toBe("allow");
    expect(new Set(world.contacted)).toEqual(new Set(signers));
  });

  it("is only whom referrers name where the rule names 17", async () => {
    await using world = await World.start(alice, bob);
    const signers = [...nobodies(16), alice.did];
    expect(await answer(world, policy(signers))).toBe("deny signature.none");
    expect(world.http.asked).toHaveLength(2);
    expect(world.contacted).toEqual([]);
    world.attach({ did: alice.did });
    world.attach({ did: bob.did });
    expect(await answer(world, policy(signers))).toBe("allow");
    expect(world.contacted).toEqual([alice.did]);
  });

  it("is only 16 where of 17 one does not count any more", async () => {
    await using world = await World.start(alice);
    const expired = nobodies(16).map((did, i) => (i === 0 ? trusted(did, { expiresAt: NOW }) : did));
    expect(await answer(world, policy([...expired, alice.did]))).toBe("allow");
  });
});

describe.concurrent("decide, what it waits for", () => {
  it("is two round trips where the rule names few signers", async () => {
    await using world = await World.start(alice, bob);
    world.answerLate();
    expect(await answer(world, policy([alice.did, bob.did], { minSignatures: 2 }))).toBe("allow");
    expect(world.roundTrips).toBe(2);
  });

  it("is no registry, and no other signer, once the rule is met", async () => {
    await using world = await World.start(alice, bob);
    world.registry.delay(HANGS);
    world.plc.delay(HANGS, bob.did);
    expect(await answer(world, policy([bob.did, alice.did]), { config: PATIENT, time: HANGS })).toBe("allow");
  });

  it("is five round trips where the registry has to name the signer", async () => {
    await using world = await World.start(alice);
    world.answerLate();
    world.attach({ payload: payloadOf(alice.did) });
    expect(await answer(world, policy([...nobodies(16), alice.did]))).toBe("allow");
    expect(world.roundTrips).toBe(5);
  });

  it("is everything before it refuses", async () => {
    await using world = await World.start(carol);
    world.registry.delay(150);
    world.attach({ did: alice.did });
    expect(await answer(world, policy([carol.did]))).toBe("deny signer.untrusted");
    world.registry.reset();
    world.plc.delay(150);
    expect(await answer(world, policy([carol.did, alice.did]))).toBe("inconclusive identity.unknown_did");
  });

  it("is enough signatures, not all", async () => {
    await using world = await World.start(alice, bob, carol);
    world.pds.delay(HANGS, encodeURIComponent(carol.did));
    world.registry.delay(HANGS);
    const dids = [alice.did, bob.did, carol.did];
    expect(await answer(world, policy(dids, { minSignatures: 2 }), { config: PATIENT, time: HANGS })).toBe("allow");
    const refused = await answer(world, policy(dids, { minSignatures: 3 }), { time: 1500 });
    expect(refused).toBe("inconclusive policy.signatures_unconfirmed");
  });
});

describe.concurrent("decide, what is missing", () => {
  it.each<[string, (world: World) => unknown, string]>([
    ["directory unreachable", (w) => w.http.places.set("https://plc.example", "unreachable"), "identity.unreachable"],
    ["directory fails", (w) => w.plc.override("", { status: 503 }), "identity.unreachable"],
    ["DID unknown", (w) => w.plc.override("", { status: 404 }), "identity.unknown_did"],
    ["log invalid", (w) => w.plc.override("", { json: [] }), "identity.log_invalid"],
    ["PDS unreachable", (w) => w.http.places.set(carol.pds, "unreachable"), "pds.unreachable"],
    ["PDS silent", (w) => w.pds.delay(HANGS), "pds.unreachable"],
    ["PDS answers nonsense", (w) => w.pds.override("", { status: 400 }), "pds.bad_response"],
    ["PDS answers no proof", (w) => w.pds.override("", { body: "nothing" }), "car.malformed"],
    ["PDS answers with a page", (w) => w.pds.override("", { body: "<html>" }), "pds.bad_response"],
    ["PDS fails", (w) => w.pds.override("", { status: 500 }), "pds.bad_response"],
    ["directory answers 500", (w) => w.plc.override("", { status: 500 }), "identity.bad_response"],
    ["repo taken down", (w) => w.pds.setStatus(carol.did, "RepoTakendown"), "pds.repo_unavailable"],
    ["forbidden address", (w) => w.http.places.set(carol.pds, "forbidden_address"), "net.forbidden_address"],
    ["no certificate", (w) => w.http.places.set(carol.pds, "tls"), "net.tls"],
  ])("leaves it open: %s", async (_, spoil, code) => {
    await using world = await World.start(carol);
    spoil(world);
    expect(await answer(world, policy([carol.did]), { config: { pdsTimeout: 1000 } })).toBe(`inconclusive ${code}`);
    const audited = policy([carol.did], {}, { action: "audit" });
    expect(await answer(world, audited, { config: { pdsTimeout: 100 } })).toBe("allow");
  });

  it("leaves it open when all time is over", async () => {
    await using world = await World.start(carol);
    world.pds.delay(HANGS);
    expect(await answer(world, policy([carol.did]), { time: 300 })).toBe("inconclusive net.deadline");
  });

  it("of the registry matters only where it alone could name a signer", async () => {
    await using world = await World.start(carol);
    world.http.places.set("https://registry.example", "unreachable");
    expect(await answer(world, policy([carol.did]))).toBe("deny signature.none");
    expect(await answer(world, policy([carol.did, ...nobodies(16)]))).toBe("inconclusive registry.unreachable");
  });

  it("of one candidate leaves it open who signed", async () => {
    await using world = await World.start(alice);
    world.attach({ payload: payloadOf(alice.did) });
    world.registry.override("/blobs/", { status: 401 });
    expect(await answer(world, policy([alice.did, ...nobodies(16)]))).toBe("inconclusive registry.unauthorized");
  });

  it("is not what a bug of ours hides", async () => {
    await using world = await World.start(carol);
    for (const host of ["plc.example", "pds.carol.example", "registry.example"]) {
      const http = (...[request, deadline]: Parameters<typeof world.http.get>) =>
        request.url.includes(`//${host}/`) ? Promise.reject(new TypeError("a bug")) : world.http.get(request, deadline);
      const context = { ...world.context(), http };
      await expect(decide(subject(), policy([carol.did]), context)).rejects.toThrow(TypeError);
    }
  });

  it("is told with all that was gathered", async () => {
    await using world = await World.start(carol, alice);
    world.pds.setStatus(alice.did, "RepoNotFound");
    world.attach({ did: bob.did });
    const { evidence } = await decide(subject(), policy([carol.did, alice.did]), world.context());
    expect(evidence.pointers).toMatchObject([{ signer: bob.did }]);
    expect(evidence.gaps).toMatchObject([{ service: "pds", signer: alice.did, code: "pds.repo_unavailable" }]);
    expect(evidence.signatures).toEqual([
      expect.objectContaining({ signer: carol.did, record: expect.anything() as unknown }),
    ]);
  });
});

describe("decide, identities", () => {
  it("allows what a did:web signed", async () => {
    const web = await signer({ name: "web", method: "web" });
    await using world = await World.start(web);
    expect(await answer(world, policy([web.did]))).toBe("allow");
    expect(world.http.origins).not.toContain("https://plc.example");
  });

  it("asks the next directory for the log that one serves wrongly", async () => {
    await using world = await World.start(alice);
    world.plc.override("", { json: [] });
    expect(await answer(world, policy([alice.did]), { config: BOTH })).toBe("allow");
  });

  it("takes a proven tombstone as final, and asks no PDS", async () => {
    const closed = await signer({ name: "closed" });
    await using world = await World.start(closed);
    world.plc2.override("", { json: closed.log.entries() });
    await closed.log.tombstone({ at: NOW - 1000 });
    expect(await answer(world, policy([closed.did]), { config: BOTH })).toBe("deny identity.deactivated");
    expect(world.http.origins).not.toContain("https://plc2.example");
    expect(world.pds.count()).toBe(0);
  });
});
