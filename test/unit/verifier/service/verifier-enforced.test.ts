import { beforeAll, describe, expect, it, vi } from "vitest";
import type { BreakGlassFile } from "../../../../src/core/policy/break-glass.ts";
import type { TrustPolicy } from "../../../../src/core/policy/policy.ts";
import { parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import { reject } from "../../../../src/core/rejection.ts";
import type { HttpClient } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { fixedDeadline, HANGS, PATIENT, policy } from "../../../support/deciding.ts";
import { DIGEST, NOW, PRODUCTION, signer, subject, type TestSigner } from "../../../support/evidence.ts";
import { ask, headline, RecordedSession } from "../../../support/recorded-session.ts";
import { World } from "../../../support/world.ts";

const AUDIT = { action: "audit" } as const;
const [REASON, UNTIL] = ["the registry burns", NOW + 3_600_000];

let alice: TestSigner;
let carol: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  carol = await signer({ name: "carol", record: null });
});

function glass(scope = "registry.example/**"): BreakGlassFile {
  return { path: "/etc/glass", active: { reason: REASON, until: UNTIL, scopes: [parseScope(scope) as Scope] } };
}

/** Asks who never answers, and heeds no deadline. */
const never: HttpClient = ({ purpose, url }, deadline) =>
  deadline.track(`${purpose} ${new URL(url).host}`, () => new Promise(() => {}));

/** The decision where nobody answers in time. */
async function late(world: World, judged: TrustPolicy, changes: Parameters<World["verifier"]>[1] = {}) {
  const verifier = world.verifier(judged, { http: never, ...changes });
  return verifier.verify(subject(), new RecordedSession(world, fixedDeadline(1500)));
}

describe.concurrent("Verifier, out of time", () => {
  it("answers all the same, and says what it waited for", async () => {
    await using world = await World.start(alice);
    const decision = await late(world, policy([alice.did]));
    expect(decision).toMatchObject({
      answer: { outcome: "inconclusive", code: "net.deadline", findings: [] },
      rule: PRODUCTION,
      cache: "none",
    });
    expect(decision.answer).toHaveProperty("detail", expect.stringContaining("directory plc.example"));
    // No evidence at all would prove that nobody has signed.
    expect([decision.evidence, decision.error]).toEqual([undefined, undefined]);
  });

  it("is audited where the rule audits, and let through by break-glass", async () => {
    await using world = await World.start(alice);
    const would = { outcome: "inconclusive", code: "net.deadline" };
    const audited = await late(world, policy([alice.did], {}, AUDIT));
    expect(audited.answer).toMatchObject({ because: { kind: "audited", rule: "production", would } });
    const broken = await late(world, policy([alice.did]), { breakGlass: glass() });
    expect(broken.answer).toMatchObject({ because: { kind: "break_glass", reason: REASON, until: UNTIL, would } });
  });

  it("judges what was had until then, where the network heeds the deadline", async () => {
    await using world = await World.start(alice);
    world.pds.delay(HANGS);
    const verifier = world.verifier(policy([alice.did]), { config: PATIENT });
    const decision = await verifier.verify(
      subject(),
      new RecordedSession(world, new Deadline(performance.now() + 1000)),
    );
    expect(headline(decision)).toBe("inconclusive net.deadline");
    expect(decision.evidence?.().gaps).toContainEqual(
      expect.objectContaining({ service: "pds", code: "net.deadline" }),
    );
  });
});

describe("Verifier, under a rule that audits", () => {
  it("lets a refusal through and says what it would have been; an allow is one by signature", async () => {
    await using world = await World.start(alice, carol);
    const refused = await ask(world, policy([carol.did], {}, AUDIT));
    expect(refused.decision.answer).toMatchObject({
      outcome: "allow",
      because: { kind: "audited", rule: "production", would: { outcome: "deny", code: "signature.none" } },
    });
    expect(headline((await ask(world, policy([alice.did], {}, AUDIT))).decision)).toBe("signed");
    const cached = await ask(world, policy([alice.did], {}, AUDIT));
    expect([headline(cached.decision), cached.decision.cache]).toEqual(["signed", "fresh"]);
  });
});

describe("Verifier, with a break-glass file", () => {
  const refused = async (world: World, breakGlass: BreakGlassFile, changes: Partial<TrustPolicy> = {}) => {
    const judged = { ...policy([carol.did]), ...changes };
    return (await ask(world, judged, world.verifier(judged, { breakGlass }))).decision;
  };

  it("lets the images through that it covers, and says why and until when", async () => {
    await using world = await World.start(carol);
    const would = { outcome: "deny", code: "signature.none" };
    expect((await refused(world, glass())).answer).toMatchObject({
      outcome: "allow",
      because: { kind: "break_glass", reason: REASON, until: UNTIL, would },
    });
    const uncovered = await refused(world, glass(), { rules: [] });
    expect([headline(uncovered), uncovered.rule]).toEqual(["break_glass", { ...PRODUCTION, name: "default", line: 1 }]);
  });

  it("refuses what it does not cover, and what is denied by name", async () => {
    await using world = await World.start(carol);
    expect(headline(await refused(world, glass("other.example/**")))).toBe("deny signature.none");
    expect(headline(await refused(world, glass(), { deniedDigests: new Map([[DIGEST, [0, 1] as const]]) }))).toBe(
      "deny policy.denied",
    );
  });

  it("refuses where the file does not hold, and says why", async () => {
    await using world = await World.start(carol);
    const decision = await refused(world, { path: "/etc/glass", because: "it has expired" });
    expect(headline(decision)).toBe("deny signature.none");
    expect(decision.answer).toHaveProperty("detail", expect.stringMatching(/\/etc\/glass: it has expired$/));
  });

  it("changes nothing about an image that is signed", async () => {
    await using world = await World.start(alice);
    const judged = policy([alice.did]);
    const { decision } = await ask(world, judged, world.verifier(judged, { breakGlass: glass() }));
    expect(headline(decision)).toBe("signed");
  });
});

describe("Verifier, an error inside", () => {
  const failing = (error: unknown): HttpClient => vi.fn().mockRejectedValue(error);

  it.each([
    ["an Error", new TypeError("a bug")],
    ["something else that was thrown", "a bug"],
  ])("is internal.error and is handed to the caller: %s", async (_, thrown) => {
    await using world = await World.start(alice);
    const decision = await late(world, policy([alice.did]), { http: failing(thrown) });
    expect([headline(decision), decision.rule]).toEqual(["internal internal.error", PRODUCTION]);
    expect(decision.evidence).toBeUndefined();
    expect(decision.error).toBeInstanceOf(Error);
    expect(decision.error?.message).toBe("a bug");
  });

  it("lets no image through: neither a rule that audits nor break-glass", async () => {
    await using world = await World.start(alice);
    const changes = { http: failing(new TypeError("a bug")), breakGlass: glass() };
    const decision = await late(world, policy([alice.did], {}, AUDIT), changes);
    expect(headline(decision)).toBe("internal internal.error");
  });

  it("is this node's mistake where its network cannot be opened: break-glass helps", async () => {
    await using world = await World.start(alice);
    const openNetwork = () => reject("config.invalid", "there is no file of authorities");
    const decision = await late(world, policy([alice.did]), { openNetwork });
    expect(headline(decision)).toBe("misconfigured config.invalid");
    expect([decision.evidence, decision.error]).toEqual([undefined, undefined]);
    const broken = await late(world, policy([alice.did]), { openNetwork, breakGlass: glass() });
    expect(broken.answer).toMatchObject({ because: { kind: "break_glass", would: { code: "config.invalid" } } });
  });
});
