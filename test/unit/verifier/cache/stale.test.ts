import { beforeAll, describe, expect, it } from "vitest";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Requirement, TrustedSigner } from "../../../../src/core/policy/policy.ts";
import {
  answer,
  BOTH,
  decide,
  HANGS,
  nobodies,
  PATIENT,
  type Pull,
  policy,
  verdictOf,
} from "../../../support/deciding.ts";
import { digestOf, NOW, recordOf, signer, subject, TAG, type TestSigner, trusted } from "../../../support/evidence.ts";
import { forgeTree } from "../../../support/forged-proof.ts";
import { MANIFEST_COLLECTION } from "../../../support/signed-repo.ts";
import { World } from "../../../support/world.ts";

const DAY = 24 * 3_600_000;
const MINUTE = 60_000;
const KEPT = { maxStaleness: DAY };
const OTHER = digestOf("another image");

let alice: TestSigner;
let bob: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
  bob = await signer({ name: "bob" });
});

/** A world in which the image was allowed under this rule. */
async function allowed(
  requirement: Partial<Requirement> = KEPT,
  { signers = [alice.did], pull = {} }: { signers?: readonly (TrustedSigner | TestSigner["did"])[]; pull?: Pull } = {},
): Promise<World> {
  const world = await World.start(alice, bob);
  for (const did of signers) world.attach({ did: typeof did === "string" ? did : did.did });
  expect(await answer(world, policy(signers, requirement), pull)).toBe("allow");
  return world;
}

const PDS_DOWN = (world: World) => world.http.places.set(alice.pds, "unreachable");
/** So that only the registry leads to a signer. */
const crowd = () => [...nobodies(16), alice.did];

/** A world in which the image was allowed under a rule with all of them, by alice. */
async function crowded(): Promise<World> {
  const world = await World.start(alice, bob);
  world.attach({ did: alice.did });
  expect(await answer(world, policy(crowd(), KEPT))).toBe("allow");
  return world;
}

describe("decide, by evidence of before", () => {
  it("allows where the rule says so, and says by what and why", async () => {
    await using world = await allowed();
    PDS_DOWN(world);
    world.now += 1000;
    const note = expect.stringMatching(
      /^by stale evidence, fetched at 2025-06-01T12:00:00Z, because a service could not be reached: pds\.alice\.example: unreachable \(3 attempts in /,
    );
    expect(await verdictOf(world, policy([alice.did], KEPT))).toMatchObject({
      outcome: "allow",
      because: { kind: "signed", rule: "production", verifiedAt: NOW, notes: [note], signatures: [{}] },
    });
    expect(await answer(world, policy([alice.did]))).toBe("inconclusive pds.unreachable");
  });

  it("says nothing of it where the services answer", async () => {
    await using world = await allowed();
    const verdict = await verdictOf(world, policy([alice.did], KEPT));
    expect(verdict).toMatchObject({ because: { notes: [] } });
    expect(verdict).not.toMatchObject({ because: { verifiedAt: expect.anything() as unknown } });
  });

  it("needs evidence of this digest", async () => {
    await using world = await allowed();
    PDS_DOWN(world);
    expect(await answer(world, policy([alice.did], KEPT), { about: { digest: OTHER } })).toBe(
      "inconclusive pds.unreachable",
    );
  });

  it("does not make it younger by using it", async () => {
    await using world = await allowed();
    PDS_DOWN(world);
    const kept = world.disk.find(alice.did);
    world.now += DAY;
    expect(await answer(world, policy([alice.did], KEPT))).toBe("allow");
    expect(kept?.times).toEqual([NOW, NOW]);
    expect(world.disk.find(alice.did)?.times).toEqual(kept?.times);
  });

  it.each([
    ["just young enough", DAY, "allow"],
    ["older", DAY + 1, "inconclusive pds.unreachable"],
    ["a little ahead of the clock", -5 * MINUTE, "allow"],
    ["of the future", -5 * MINUTE - 1, "inconclusive pds.unreachable"],
  ])("takes what is %s", async (_, later, expected) => {
    await using world = await allowed();
    PDS_DOWN(world);
    world.now += later;
    expect(await answer(world, policy([alice.did], KEPT))).toBe(expected);
  });

  it("proves it anew", async () => {
    await using world = await allowed();
    PDS_DOWN(world);
    world.disk.rewriteSignatures("evidence", (kept) => {
      kept.record?.bytes.fill(0, 100, 101);
      return kept;
    });
    expect(await answer(world, policy([alice.did], KEPT))).toBe("inconclusive pds.unreachable");
  });

  it("takes what lies behind a rev seen since, of another image", async () => {
    const carol = await signer({ name: "carol" });
    await using world = await World.start(carol);
    expect(await answer(world, policy([carol.did], KEPT))).toBe("allow");
    await carol.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 1000);
    expect(await answer(world, policy([carol.did]), { about: { digest: OTHER } })).toBe("allow");
    expect((await world.disk.loadHistory(carol.did)).rev).toBe(carol.repo.rev);
    world.http.places.set(carol.pds, "unreachable");
    expect(await answer(world, policy([carol.did], KEPT))).toBe("allow");
  });

  it("holds what another signer shows now against the memory all the same", async () => {
    const newer = await signer({ name: "bob" });
    await newer.repo.resign(NOW);
    await using world = await World.start(alice, newer);
    expect(await answer(world, policy([newer.did], KEPT))).toBe("allow");
    world.add(bob);
    PDS_DOWN(world);
    expect(await answer(world, policy([alice.did, bob.did], KEPT))).toBe("inconclusive pds.unreachable");
  });

  it("counts it beside what is had now", async () => {
    const two = { ...KEPT, minSignatures: 2 };
    await using world = await allowed(two, { signers: [alice.did, bob.did] });
    PDS_DOWN(world);
    expect(await answer(world, policy([alice.did, bob.did], two))).toBe("allow");
  });

  it("says when the oldest of it was had, and whom it could not reach, each once", async () => {
    await using world = await allowed();
    world.now += 1000;
    expect(await answer(world, policy([bob.did], KEPT))).toBe("allow");
    world.registry.override("", { status: 401 });
    const told = async (...origins: readonly string[]) => {
      for (const origin of origins) world.http.places.set(origin, "unreachable");
      const verdict = await verdictOf(world, policy([alice.did, bob.did], { ...KEPT, minSignatures: 2 }));
      expect(verdict).toMatchObject({ because: { verifiedAt: NOW } });
      const [note = ""] = verdict.outcome === "allow" && verdict.because.kind === "signed" ? verdict.because.notes : [];
      return note
        .replaceAll(/ \(\d attempts in [^)]*\)/g, "")
        .split("could not be reached: ")[1]
        ?.split("; ");
    };
    expect(await told(alice.pds, bob.pds)).toHaveLength(2);
    expect(await told("https://plc.example")).toEqual(["plc.example: unreachable"]);
  });

  it("says beside it what else was not looked at", async () => {
    const tagged = { ...KEPT, tag: "match" } as const;
    const about = { name: { host: "registry.example", path: "team/app", digest: subject().digest } };
    await using world = await allowed(tagged, { pull: { about } });
    PDS_DOWN(world);
    expect(await verdictOf(world, policy([alice.did], tagged), { about })).toMatchObject({
      because: {
        notes: ["pulled by digest: no tag was checked", expect.stringContaining("by stale evidence, fetched at")],
      },
    });
  });

  it("looks for that of signers alone who count now", async () => {
    await using world = await allowed(KEPT, { signers: [alice.did, bob.did] });
    for (const { pds } of [alice, bob]) world.http.places.set(pds, "unreachable");
    const context = world.context();
    const looked: string[] = [];
    const find: typeof context.cache.find = (did, digest) => {
      looked.push(did);
      return context.cache.find(did, digest);
    };
    const signers = [trusted(alice.did, { expiresAt: NOW }), bob.did];
    await decide(subject(), policy(signers, KEPT), { ...context, cache: { ...context.cache, find } });
    expect(looked).toEqual([bob.did]);
  });

  it("leaves half a second for it, where the rule takes it", async () => {
    await using world = await allowed();
    const context = world.context();
    const spare = async (requirement: Partial<Requirement>) => {
      const times = new Set<number>();
      const http: typeof context.http = (request, deadline) => {
        times.add(Math.round(context.deadline.at - deadline.at));
        return context.http(request, deadline);
      };
      await decide(subject(), policy([alice.did], requirement), { ...context, http });
      return [...times];
    };
    expect([await spare(KEPT), await spare({})]).toEqual([[500], [0]]);
  });

  it("is what an audit tells of too", async () => {
    await using world = await allowed();
    PDS_DOWN(world);
    const audit = { action: "audit" } as const;
    const signed = await verdictOf(world, policy([alice.did], KEPT, audit));
    expect(signed).toMatchObject({ outcome: "allow", because: { kind: "signed", verifiedAt: NOW } });
    world.disk.lose("evidence");
    const audited = await verdictOf(world, policy([alice.did], KEPT, audit));
    expect(audited).toMatchObject({ because: { kind: "audited", would: { code: "pds.unreachable" } } });
  });

  it("takes the proof of the tag with it", async () => {
    const [tagged, about] = [{ ...KEPT, tag: "match" } as const, { tag: TAG }];
    await using world = await allowed(tagged, { pull: { about } });
    PDS_DOWN(world);
    expect(await answer(world, policy([alice.did], tagged), { about })).toBe("allow");
    await using untagged = await allowed();
    PDS_DOWN(untagged);
    expect(await answer(untagged, policy([alice.did], tagged), { about })).toBe("inconclusive pds.unreachable");
  });
});

describe.concurrent("decide, by evidence of before, only where nobody answered", () => {
  const broken = async (world: World) =>
    world.pds.override("", {
      body: await forgeTree((await alice.record()).bytes, alice.key, (value, { kind }) =>
        kind === "record" ? "drop" : value,
      ),
    });
  const early = async (world: World) => {
    const ahead = await signer({ name: "alice" });
    await ahead.repo.resign(NOW + 10 * MINUTE);
    world.pds.add(ahead.repo);
  };

  it.each<[string, boolean, (world: World) => unknown, Pull?]>([
    ["identity.unreachable", true, (w) => w.http.places.set("https://plc.example", "unreachable")],
    ["identity.unreachable", true, (w) => w.plc.override("", { status: 503 })],
    ["pds.unreachable", true, PDS_DOWN],
    ["pds.unreachable", true, (w) => w.pds.delay(HANGS), { config: { pdsTimeout: 100 } }],
    ["net.deadline", true, (w) => w.pds.delay(HANGS), { config: PATIENT, time: 800 }],
    ["identity.bad_response", false, (w) => w.plc.override("", { status: 400 })],
    ["identity.unknown_did", false, (w) => w.plc.override("", { status: 404 })],
    ["identity.log_invalid", false, (w) => w.plc.override("", { json: [] })],
    ["pds.bad_response", false, (w) => w.pds.override("", { status: 400 })],
    ["pds.repo_unavailable", false, (w) => w.pds.setStatus(alice.did, "RepoTakendown")],
    ["car.malformed", false, (w) => w.pds.override("", { body: "nothing" })],
    ["pds.bad_response", false, (w) => w.pds.override("", { body: "<html>" })],
    ["pds.bad_response", false, (w) => w.pds.override("", { status: 500 })],
    ["identity.bad_response", false, (w) => w.plc.override("", { status: 500 })],
    ["mst.incomplete_proof", false, broken],
    ["commit.from_future", false, early],
    [
      "identity.bad_response",
      false,
      (w) => {
        w.plc.override("", { status: 503 });
        w.plc2.override("", { status: 400 });
      },
      { config: BOTH },
    ],
    ["net.forbidden_address", false, (w) => w.http.places.set(alice.pds, "forbidden_address")],
    ["net.tls", false, (w) => w.http.places.set(alice.pds, "tls")],
  ])("%s: %s", async (code, used, spoil, pull) => {
    await using world = await allowed();
    await spoil(world);
    expect(await answer(world, policy([alice.did]), pull)).toBe(`inconclusive ${code}`);
    expect(await answer(world, policy([alice.did], KEPT), pull)).toBe(used ? "allow" : `inconclusive ${code}`);
  });

  it.each<[string, (world: World) => unknown]>([
    ["registry.unreachable", (w) => w.http.places.set("https://registry.example", "unreachable")],
    ["registry.unauthorized", (w) => w.registry.override("", { status: 401 })],
    ["registry.bad_response", (w) => w.registry.override("", { body: "<html>" })],
  ])("is never the case where nobody was asked, as the registry alone leads to a signer: %s", async (code, spoil) => {
    await using world = await crowded();
    expect(world.disk.count("evidence")).toBe(1);
    spoil(world);
    world.now += 1000;
    world.plc.forget();
    expect(await answer(world, policy(crowd(), KEPT))).toBe(`inconclusive ${code}`);
    expect(world.plc.count()).toBe(0);
    // Who is asked directly may be silent.
    PDS_DOWN(world);
    expect(await answer(world, policy([alice.did], KEPT))).toBe("allow");
  });

  it("looks for nothing of those who were not asked", async () => {
    await using world = await crowded();
    world.attach({ did: bob.did });
    PDS_DOWN(world);
    const context = world.context();
    const looked: string[] = [];
    const find: typeof context.cache.find = (did, digest) => {
      looked.push(did);
      return context.cache.find(did, digest);
    };
    const judged = policy([...crowd(), bob.did], { ...KEPT, minSignatures: 2 });
    await decide(subject(), judged, { ...context, cache: { ...context.cache, find } });
    // Of him an answer was had.
    expect(looked).toEqual([alice.did]);
  });

  it("is not the case where the tag was answered", async () => {
    const tagged = { ...KEPT, tag: "match", owner: "any" } as const;
    const about = { name: { host: "registry.example", path: "alice.test/app" }, tag: TAG };
    const pull = { about, config: { atcrHosts: ["registry.example"] } };
    await using world = await allowed(tagged, { pull });
    world.pds.override(MANIFEST_COLLECTION, { status: 503 });
    expect(await answer(world, policy([alice.did], tagged), pull)).toBe("inconclusive pds.unreachable");
    world.pds.override("", { status: 503 });
    expect(await answer(world, policy([alice.did], tagged), pull)).toBe("allow");
  });
});

describe("decide, by evidence of before, under the policy of now", () => {
  const down = "inconclusive pds.unreachable";
  it.each<[string, Partial<TrustedSigner>, Partial<Requirement>, string]>([
    ["unchanged", {}, {}, "allow"],
    ["revoked", { revoked: true }, {}, "deny signer.revoked"],
    ["expired", { expiresAt: NOW + 1000 }, {}, "deny signer.expired"],
    ["not yet valid", { validFrom: NOW + 1001 }, {}, "deny signer.not_yet_valid"],
    ["another key pinned", { keys: ["did:key:other"] }, {}, down],
    ["another PDS pinned", { pds: ["https://other.example"] }, {}, down],
    ["a later minRev", { minRev: "3zzzzzzzzzzzz" as NonNullable<TrustedSigner["minRev"]> }, {}, down],
    ["a maxAge", {}, { maxAge: DAY }, down],
    ["another repository", {}, { repository: ["other"] }, down],
    ["more signatures", {}, { minSignatures: 2 }, "deny policy.too_few_signatures"],
    ["an owner", {}, { owner: "match" }, down],
    ["a minKeyAge that has passed", {}, { minKeyAge: 1000 }, "allow"],
    ["a minKeyAge that has not", {}, { minKeyAge: 1001 }, down],
    ["a shorter maxStaleness", {}, { maxStaleness: 999 }, down],
  ])("%s", async (_, changes, requirement, expected) => {
    await using world = await allowed();
    PDS_DOWN(world);
    world.now += 1000;
    expect(await answer(world, policy([trusted(alice.did, changes)], { ...KEPT, ...requirement }))).toBe(expected);
  });
});
