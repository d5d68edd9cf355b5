import { beforeAll, describe, expect, it } from "vitest";
import type { Did } from "../../../src/atproto/syntax.ts";
import { decide } from "../../../src/decide/decide.ts";
import { Deadline } from "../../../src/net/deadline.ts";
import type { HttpGet } from "../../../src/net/exchange.ts";
import type { PolicyRule, Requirement, TrustedSigner, TrustPolicy } from "../../../src/policy/policy.ts";
import { parseScope, type Scope } from "../../../src/policy/scope.ts";
import { asDid, DIGEST, NOW, signer, subject, type TestSigner, trusted } from "../../support/evidence.ts";
import { signingKey } from "../../support/signing-key.ts";
import { payloadOf, World } from "../../support/world.ts";

const BOTH = { plcDirectories: ["https://plc.example", "https://plc2.example"] };
/** Longer than any of these tests may take. */
const HANGS = 60_000;
/** So that who waits for what hangs is not rescued by a timeout. */
const PATIENT = { registryTimeout: HANGS, pdsTimeout: HANGS, didResolverTimeout: HANGS };

/** Alice and Bob signed the image; Carol has a repo and did not. */
let alice: TestSigner;
let bob: TestSigner;
let carol: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  bob = await signer({ name: "bob", curve: "p256" });
  carol = await signer({ name: "carol", record: null });
});

/** DIDs that no directory knows. */
const nobodies = (count: number): Did[] =>
  Array.from({ length: count }, (_, i) => asDid(`did:plc:${"q".repeat(22)}${"abcdefghijklmnopqrstuvwxyz"[i]}a`));

function policy(
  signers: readonly (Did | TrustedSigner)[],
  requirement: Partial<Requirement> = {},
  rule: Partial<PolicyRule> = {},
): TrustPolicy {
  const all = signers.map((one) => (typeof one === "string" ? trusted(one) : one));
  const required = { signers: all, minSignatures: 1, repository: "match", tag: "any", ...requirement } as const;
  const scopes = [parseScope("registry.example/**") as Scope];
  return {
    deniedDigests: new Set(),
    allowedDigests: new Set(),
    rules: [{ name: "production", scopes, action: "enforce", requirement: required, ...rule }],
    fallback: "deny",
    everyone: all,
  };
}

/** `allow`, or outcome and code. */
async function answer(world: World, judged: TrustPolicy, config?: object, time?: number): Promise<string> {
  const { verdict } = await decide(subject(), judged, world.context(config, time));
  return verdict.outcome === "allow" ? "allow" : `${verdict.outcome} ${verdict.code}`;
}

describe("decide, without evidence", () => {
  const digests = new Set([DIGEST]);
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
    expect(world.http.asked).toHaveLength(1);
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

describe("decide, what it waits for", () => {
  it("is two round trips where the rule names few signers", async () => {
    await using world = await World.start(alice, bob);
    for (const server of [world.plc, world.pds, world.registry]) server.delay(60);
    expect(await answer(world, policy([alice.did, bob.did], { minSignatures: 2 }))).toBe("allow");
    expect(world.roundTrips).toBe(2);
  });

  it("is no registry, and no other signer, once the rule is met", async () => {
    await using world = await World.start(alice, bob);
    world.registry.delay(HANGS);
    world.plc.delay(HANGS, bob.did);
    expect(await answer(world, policy([bob.did, alice.did]), PATIENT, HANGS)).toBe("allow");
  });

  it("is five round trips where the registry has to name the signer", async () => {
    await using world = await World.start(alice);
    for (const server of [world.plc, world.pds, world.registry]) server.delay(60);
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
    expect(await answer(world, policy(dids, { minSignatures: 2 }), PATIENT, HANGS)).toBe("allow");
    const refused = await answer(world, policy(dids, { minSignatures: 3 }), {}, 1500);
    expect(refused).toBe("inconclusive policy.too_few_signatures");
  });
});

describe("decide, what is missing", () => {
  it.each<[string, (world: World) => unknown, string]>([
    ["directory unreachable", (w) => w.http.places.set("https://plc.example", "unreachable"), "identity.unreachable"],
    ["directory fails", (w) => w.plc.override("", { status: 500 }), "identity.unreachable"],
    ["DID unknown", (w) => w.plc.override("", { status: 404 }), "identity.unknown_did"],
    ["log invalid", (w) => w.plc.override("", { json: [] }), "identity.log_invalid"],
    ["PDS unreachable", (w) => w.http.places.set(carol.pds, "unreachable"), "pds.unreachable"],
    ["PDS silent", (w) => w.pds.delay(HANGS), "pds.unreachable"],
    ["PDS answers nonsense", (w) => w.pds.override("", { status: 400 }), "pds.bad_response"],
    ["PDS answers no proof", (w) => w.pds.override("", { body: "<html>" }), "car.malformed"],
    ["repo taken down", (w) => w.pds.setStatus(carol.did, "RepoTakendown"), "pds.repo_unavailable"],
    ["forbidden address", (w) => w.http.places.set(carol.pds, "forbidden_address"), "net.forbidden_address"],
    ["no certificate", (w) => w.http.places.set(carol.pds, "tls"), "net.tls"],
  ])("leaves it open: %s", async (_, spoil, code) => {
    await using world = await World.start(carol);
    spoil(world);
    expect(await answer(world, policy([carol.did]), { pdsTimeout: 1000 })).toBe(`inconclusive ${code}`);
    const audited = policy([carol.did], {}, { action: "audit" });
    expect(await answer(world, audited, { pdsTimeout: 100 })).toBe("allow");
  });

  it("leaves it open when all time is over", async () => {
    await using world = await World.start(carol);
    world.pds.delay(HANGS);
    expect(await answer(world, policy([carol.did]), {}, 300)).toBe("inconclusive net.deadline");
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

  it("is told with the rule and all that was gathered", async () => {
    await using world = await World.start(carol, alice);
    world.pds.setStatus(alice.did, "RepoNotFound");
    world.attach({ did: bob.did });
    const told: string[] = [];
    const { evidence } = await decide(subject(), policy([carol.did, alice.did]), world.context(), ({ name }) =>
      told.push(name),
    );
    expect(told).toEqual(["production"]);
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
    expect(await answer(world, policy([alice.did]), BOTH)).toBe("allow");
  });

  it("takes a proven tombstone as final, and asks no PDS", async () => {
    const closed = await signer({ name: "closed" });
    await using world = await World.start(closed);
    world.plc2.override("", { json: closed.log.entries() });
    await closed.log.tombstone({ at: NOW - 1000 });
    expect(await answer(world, policy([closed.did]), BOTH)).toBe("deny identity.deactivated");
    expect(world.http.origins).not.toContain("https://plc2.example");
    expect(world.pds.count()).toBe(0);
  });
});

describe("decide, after a signature that does not verify", () => {
  const NEW = signingKey("k256", "rotated");

  /** Two states of one signer: before a rotation of the key, and after it, with the repo signed anew. */
  async function rotated(): Promise<{ before: TestSigner; after: TestSigner }> {
    const [before, after] = [await signer({ name: "rotating" }), await signer({ name: "rotating" })];
    await after.log.update({ signingKey: NEW }, { at: NOW - 2000 });
    await after.repo.resign(NOW - 1000, NEW);
    return { before, after };
  }

  /** A commit that no key of the signer's verifies. */
  async function forgery(): Promise<Uint8Array> {
    const { repo, record } = await signer({ name: "rotating" });
    await repo.resign(NOW - 1000, signingKey("k256", "thief"));
    return (await record()).bytes;
  }

  it("asks the second directory first, and counts what verifies then", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.plc.logs.set(before.did, before.log);
    expect(await answer(world, policy([after.did]), BOTH)).toBe("allow");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 2]);
  });

  it("asks the only directory again", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.plc.override("", { json: before.log.entries() }, "usual");
    expect(await answer(world, policy([after.did]))).toBe("allow");
    expect([world.plc.count(), world.pds.count()]).toEqual([2, 2]);
  });

  it("asks once: the same identity brings no second question to the PDS", async () => {
    const { before } = await rotated();
    await using world = await World.start(before);
    world.pds.override("", { body: await forgery() });
    expect(await answer(world, policy([before.did]), BOTH)).toBe("deny commit.bad_signature");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 1]);
  });

  it("asks once: a newer identity under which nothing verifies is not refreshed again", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.plc.logs.set(before.did, before.log);
    world.pds.override("", { body: await forgery() });
    expect(await answer(world, policy([before.did]), BOTH)).toBe("deny commit.bad_signature");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 2]);
  });

  it("lets no directory that lags behind bring back a key that was superseded", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.plc2.logs.set(before.did, before.log);
    const signedByOldKey = (await before.record()).bytes;
    world.pds.override("", { body: await forgery() }, { body: signedByOldKey });
    expect(await answer(world, policy([after.did]), BOTH)).toBe("deny commit.bad_signature");
  });

  it("leaves it open where the identity cannot be had again", async () => {
    const { before } = await rotated();
    await using world = await World.start(before);
    world.pds.override("", { body: await forgery() });
    world.plc.override("", "usual", { status: 500 });
    expect(await answer(world, policy([before.did]))).toBe("inconclusive identity.unreachable");
  });

  it("says so where a tombstone has come in between", async () => {
    const { before } = await rotated();
    const closed = await signer({ name: "rotating" });
    await closed.log.tombstone({ at: NOW - 1000 });
    await using world = await World.start(before);
    world.plc2.logs.set(closed.did, closed.log);
    world.pds.override("", { body: await forgery() });
    const { verdict, evidence } = await decide(subject(), policy([before.did]), world.context(BOTH));
    expect(verdict).toMatchObject({ outcome: "deny" });
    expect(evidence.signatures).toHaveLength(2);
  });

  it("does not keep another signer's evidence waiting", async () => {
    const { before } = await rotated();
    const forged = await forgery();
    await using world = await World.start(before, bob);
    world.pds.override(({ query }) => query.get("did") === before.did, { body: forged });
    world.plc.override(before.did, "usual", () => undefined);
    world.pds.delay(300, ({ query }) => query.get("did") === bob.did);
    world.registry.delay(HANGS);
    expect(await answer(world, policy([before.did, bob.did]), PATIENT, HANGS)).toBe("allow");
    expect(world.plc.count(before.did)).toBe(2);
  });

  it("asks nobody where a former key made it", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.pds.add(before.repo);
    expect(await answer(world, policy([after.did]), BOTH)).toBe("deny commit.superseded_key");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 0, 1]);
  });
});

describe("decide, when the time is over before what arrived was looked at", () => {
  /** Time that is over as soon as this service has answered. */
  class Late extends Deadline {
    isOver = false;

    override remaining(): number {
      return this.isOver ? 0 : 8000;
    }
  }

  it.each([
    ["directory", "inconclusive net.deadline", 0],
    ["PDS", "inconclusive net.deadline", 1],
  ] as const)("does not look at the answer of the %s", async (purpose, expected, asked) => {
    await using world = await World.start(alice);
    const context = world.context();
    const deadline = new Late(performance.now() + 8000);
    const http: HttpGet = async (request) => {
      const answered = await context.http(request, context.deadline);
      if (request.purpose === purpose) deadline.isOver = true;
      return answered;
    };
    const { verdict } = await decide(subject(), policy([alice.did]), { ...context, deadline, http });
    expect(`${verdict.outcome} ${"code" in verdict ? verdict.code : ""}`).toBe(expected);
    expect(world.pds.requests).toHaveLength(asked);
  });

  it.each([
    ["list of referrers", 1],
    ["referrer's manifest", 2],
  ])("does not look at the registry's %s, where that is needed", async (_, answers) => {
    await using world = await World.start(alice);
    world.attach(answers === 1 ? { did: alice.did } : { payload: payloadOf(alice.did) });
    const context = world.context();
    const deadline = new Late(performance.now() + 8000);
    const http: HttpGet = async (request) => {
      const answered = await context.http(request, context.deadline);
      deadline.isOver = world.http.asked.length === answers;
      return answered;
    };
    const judged = policy([alice.did, ...nobodies(16)]);
    const { verdict } = await decide(subject(), judged, { ...context, deadline, http });
    expect(verdict).toMatchObject({ outcome: "inconclusive", code: "net.deadline" });
    expect(world.http.asked).toHaveLength(answers);
  });
});
