import { beforeAll, describe, expect, it } from "vitest";
import type { TrustPolicy } from "../../../../src/core/policy/policy.ts";
import { parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import type { Decision } from "../../../../src/verifier/service/decision.ts";
import type { openNetwork as openNetworkOf } from "../../../../src/verifier/service/network.ts";
import type { Verifier } from "../../../../src/verifier/service/verifier.ts";
import { policy } from "../../../support/deciding.ts";
import {
  bundleOf,
  DIGEST,
  digestOf,
  NOW,
  PRODUCTION,
  signer,
  subject,
  type TestSigner,
  trusted,
} from "../../../support/evidence.ts";
import { ask, headline } from "../../../support/recorded-session.ts";
import { World } from "../../../support/world.ts";

const DAY = 24 * 3_600_000;
/** More than cacheTTL. */
const LATER = 600_000;

let alice: TestSigner;
let carol: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  carol = await signer({ name: "carol", record: null });
});

describe("Verifier, an image whose signature is proven", () => {
  it("asks the network, names rule and evidence, and says what comes before it comes", async () => {
    await using world = await World.start(alice);
    const { decision, ...told } = await ask(world, policy([alice.did]));
    expect(headline(decision)).toBe("signed");
    expect(decision).toMatchObject({ subject: subject(), rule: PRODUCTION, cache: "none" });
    expect(decision.error).toBeUndefined();
    expect(decision.evidence?.().signatures.map(({ signer }) => signer)).toEqual([alice.did]);
    expect(told.events).toEqual(["production after 0", "heavy work after 0"]);
    expect(told.services).toEqual(expect.arrayContaining(["directory", "pds"]));
    expect(told.warnings).toEqual([]);
  });

  it("is answered by what another process of the node was told within cacheTTL, without a request", async () => {
    await using world = await World.start(alice);
    await ask(world, policy([alice.did]));
    const asked = world.http.asked.length;
    world.now += 1000;
    const { decision, ...told } = await ask(world, policy([alice.did]));
    expect(decision.answer).toMatchObject({ outcome: "allow", because: { kind: "signed", verifiedAt: NOW } });
    expect([decision.cache, decision.rule]).toEqual(["fresh", PRODUCTION]);
    const [kept] = decision.evidence?.().signatures ?? [];
    expect(kept).toMatchObject({ signer: alice.did, identity: { bytes: alice.log.bytes(), fetchedAt: NOW } });
    expect(world.http.asked).toHaveLength(asked);
    expect(told).toEqual({ events: [`production after ${asked}`], warnings: [], services: [] });
  });

  it("is asked for anew after cacheTTL, and at once where answers are not cached", async () => {
    await using world = await World.start(alice);
    const uncached = () => world.verifier(policy([alice.did]), { config: { cacheEnabled: false } });
    for (const [verifier, later] of [
      [uncached(), 0],
      [uncached(), 0],
      [world.verifier(policy([alice.did])), 0],
      [world.verifier(policy([alice.did])), LATER],
    ] as const) {
      world.now += later;
      const { decision, events } = await ask(world, policy([alice.did]), verifier);
      expect([headline(decision), decision.cache, events.length]).toEqual(["signed", "none", 2]);
    }
    expect(world.pds.count()).toBe(4);
  });

  it("is answered by older evidence where services are silent and the rule takes it", async () => {
    await using world = await World.start(alice);
    const judged = policy([alice.did], { maxStaleness: DAY });
    await ask(world, judged);
    world.http.places.set(alice.pds, "timeout");
    world.now += LATER;
    const { decision, events } = await ask(world, judged);
    expect(decision.answer).toMatchObject({ outcome: "allow", because: { kind: "signed", verifiedAt: NOW } });
    expect([decision.cache, events.length]).toEqual(["stale", 2]);
    const strict = await ask(world, policy([alice.did]));
    expect([headline(strict.decision), strict.decision.cache]).toEqual(["inconclusive pds.unreachable", "none"]);
  });
});

describe("Verifier, an image that is refused", () => {
  it("is denied where nobody signed it, each time by the network", async () => {
    await using world = await World.start(carol);
    for (const requests of [1, 2]) {
      const { decision, events } = await ask(world, policy([carol.did]));
      expect([headline(decision), decision.cache, events.length]).toEqual(["deny signature.none", "none", 2]);
      expect(world.pds.count()).toBe(requests);
    }
  });

  it("is inconclusive where a service gives no answer, and its evidence says which", async () => {
    await using world = await World.start(alice);
    world.http.places.set("https://plc.example", "timeout");
    const { decision } = await ask(world, policy([alice.did]));
    expect(headline(decision)).toBe("inconclusive identity.unreachable");
    expect(decision.evidence?.().gaps).toMatchObject([{ service: "identity", code: "identity.unreachable" }]);
  });

  it("is not refused from the cache: what was kept is asked for anew", async () => {
    await using world = await World.start(alice);
    await ask(world, policy([alice.did]));
    const revoked = await ask(world, policy([trusted(alice.did, { revoked: true })]));
    expect([headline(revoked.decision), revoked.events.length]).toEqual(["deny signer.revoked", 2]);
    const other = await ask(world, policy([alice.did], { repository: ["other"] }));
    expect(headline(other.decision)).toBe("deny record.wrong_repository");
    expect(other.services).toContain("pds");
  });
});

describe("Verifier, an image that needs no signature", () => {
  const fragment = { name: "policy.d/a.yaml", ruleLines: [] };
  const files = [{ name: PRODUCTION.file, ruleLines: [PRODUCTION.line] }, fragment];
  const listed = new Map([[DIGEST, [1, 3] as const]]);
  const inFragment = (name: string) => ({ name, file: fragment.name, line: 3 });
  const byDefault = { ...PRODUCTION, name: "default", line: 1 };

  it.each<[string, Partial<TrustPolicy>, string, Decision["rule"]]>([
    ["a digest that is denied", { files, deniedDigests: listed }, "deny policy.denied", inFragment("digests.deny")],
    ["a digest that is allowed", { files, allowedDigests: listed }, "exempt", inFragment("digests.allow")],
    ["no rule", { rules: [] }, "deny policy.no_match", byDefault],
    ["no rule where the default allows", { rules: [], fallback: "allow" }, "exempt", byDefault],
  ])("is answered at once, with the place of what decided: %s", async (_, changes, expected, rule) => {
    await using world = await World.start(alice);
    const { decision, events } = await ask(world, { ...policy([alice.did]), ...changes });
    expect([headline(decision), decision.rule, events]).toEqual([expected, rule, []]);
    expect(world.http.asked).toEqual([]);
  });

  it.each([
    ["allow", "exempt"],
    ["deny", "deny policy.denied"],
  ] as const)("is answered at once, and the rule named: %s", async (action, expected) => {
    await using world = await World.start(alice);
    const { decision, events } = await ask(world, policy([alice.did], {}, { action }));
    expect([headline(decision), decision.rule, events]).toEqual([expected, PRODUCTION, []]);
  });
});

describe("Verifier, by saved evidence", () => {
  async function saved(world: World, digest = DIGEST): Promise<Verifier> {
    const signatures = [await alice.evidence()];
    const breakGlass = {
      path: "/etc/glass",
      active: { reason: "", until: NOW + 1, scopes: [parseScope("**") as Scope] },
    };
    return world.verifier(policy([alice.did], {}, { action: "audit" }), {
      saved: { kind: "gathered", bundle: bundleOf({ signatures }, digest) },
      breakGlass,
    });
  }

  it("asks nobody, and leaves nothing on the disk", async () => {
    await using world = await World.start(alice);
    const { decision, events } = await ask(world, policy([alice.did]), await saved(world));
    expect([headline(decision), decision.cache, events]).toEqual(["signed", "none", ["production after 0"]]);
    expect(decision.evidence?.().signatures).toHaveLength(1);
    expect(world.http.asked).toEqual([]);
    expect(world.disk.files()).toEqual([]);
  });

  it("answers no question about another image, whatever audits or is covered", async () => {
    await using world = await World.start(alice);
    const verifier = await saved(world, digestOf("another image"));
    const { decision, events } = await ask(world, policy([alice.did]), verifier);
    expect([headline(decision), events]).toEqual(["misconfigured input.digest_mismatch", []]);
    expect(decision.rule).toBeUndefined();
  });
});

describe("Verifier, warnings", () => {
  it("belong to each question that causes them, and not to what all questions share", async () => {
    await using world = await World.start(alice);
    const judged = policy([alice.did]);
    const verifier = world.verifier(judged);
    expect((await ask(world, judged, verifier)).warnings).toEqual([]);
    world.disk.openToAll("cache");
    for (const _ of [1, 2]) {
      const { decision, warnings } = await ask(world, judged, verifier);
      expect(headline(decision)).toBe("signed");
      expect(warnings.every((warning) => warning.includes(world.disk.cacheDir))).toBe(true);
      const codes = new Set(decision.warnings.map(({ code }) => code));
      expect(codes).toEqual(new Set(["cache.unusable", "lock.not_taken"]));
      // Told as they come, and each once, however often it is met.
      expect(decision.warnings.map(({ code, message }) => `${code}: ${message}`)).toEqual(warnings);
      expect(new Set(warnings).size).toBe(warnings.length);
    }
  });

  it("of what all questions share are told to each of them, as often as it is met", async () => {
    await using world = await World.start(alice);
    const judged = policy([alice.did]);
    const message = "/ca.pem:1: no certificate";
    const openNetwork: typeof openNetworkOf = (_, environment) => ({
      txt: async () => [],
      environment,
      http: (warn) => (request, deadline) => {
        warn({ code: "authority.unusable", message });
        return world.http.get(request, deadline);
      },
    });
    const verifier = world.verifier(judged, { openNetwork, config: { cacheEnabled: false } });
    for (const _ of [1, 2]) {
      const { decision, warnings, services } = await ask(world, judged, verifier);
      expect(services.length).toBeGreaterThan(1);
      expect(warnings).toEqual([`authority.unusable: ${message}`]);
      expect(decision.warnings).toEqual([{ code: "authority.unusable", message }]);
    }
  });
});
