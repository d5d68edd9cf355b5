import { beforeAll, describe, expect, it } from "vitest";
import type { HttpClient } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { answer, BOTH, decide, HANGS, nobodies, PATIENT, policy } from "../../../support/deciding.ts";
import { NOW, signer, subject, type TestSigner } from "../../../support/evidence.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { payloadOf, World } from "../../../support/world.ts";

/** Both signed the image. */
let alice: TestSigner;
let bob: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
  bob = await signer({ name: "bob", curve: "p256" });
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
    expect(await answer(world, policy([after.did]), { config: BOTH })).toBe("allow");
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
    expect(await answer(world, policy([before.did]), { config: BOTH })).toBe("deny commit.bad_signature");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 1]);
  });

  it("asks once: a newer identity under which nothing verifies is not refreshed again", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.plc.logs.set(before.did, before.log);
    world.pds.override("", { body: await forgery() });
    expect(await answer(world, policy([before.did]), { config: BOTH })).toBe("deny commit.bad_signature");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 2]);
  });

  it("lets no directory that lags behind bring back a key that was superseded", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.plc2.logs.set(before.did, before.log);
    const signedByOldKey = (await before.record()).bytes;
    world.pds.override("", { body: await forgery() }, { body: signedByOldKey });
    expect(await answer(world, policy([after.did]), { config: BOTH })).toBe("deny commit.bad_signature");
  });

  it("leaves it open where the identity cannot be had again", async () => {
    const { before } = await rotated();
    await using world = await World.start(before);
    world.pds.override("", { body: await forgery() });
    world.plc.override("", "usual", { status: 503 });
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
    expect(await answer(world, policy([before.did, bob.did]), { config: PATIENT, time: HANGS })).toBe("allow");
    expect(world.plc.count(before.did)).toBe(2);
  });

  it("asks the next directory where a former key made it, and no PDS where that has nothing newer", async () => {
    const { before, after } = await rotated();
    await using world = await World.start(after);
    world.pds.add(before.repo);
    expect(await answer(world, policy([after.did]), { config: BOTH })).toBe("deny commit.superseded_key");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 1]);
  });
});

describe("decide, after an earlier key was put in place again", () => {
  const [OWNER, OPERATOR] = [signingKey("k256", "owner"), signingKey("k256", "operator")];
  const OTHER = signingKey("k256", "other");

  /** The log with the other key, and the one that puts the first key back: by one more operation, or by undoing. */
  async function recovered(how: "one more operation" | "undoing"): Promise<{ before: TestSigner; after: TestSigner }> {
    const options = { name: "recovered", others: 0, state: { rotationKeys: [OWNER, OPERATOR] } };
    const [before, after] = [await signer(options), await signer(options)];
    for (const { log } of [before, after]) {
      await log.update({ signingKey: OTHER }, { at: NOW - 2000, signer: OPERATOR });
    }
    const undoing = { at: NOW - 1000, signer: OWNER, ...(how === "undoing" && { after: 0 }) };
    await after.log.update({ signingKey: after.key }, undoing);
    return { before, after };
  }

  it.each(["one more operation", "undoing"] as const)("allows where the first directory lags: by %s", async (how) => {
    const { before, after } = await recovered(how);
    await using world = await World.start(after);
    world.plc.logs.set(before.did, before.log);
    expect(await answer(world, policy([after.did]), { config: BOTH })).toBe("allow");
    expect([world.plc.count(), world.plc2.count(), world.pds.count()]).toEqual([1, 1, 2]);
  });

  it.each(["one more operation", "undoing"] as const)("allows where the identity was cached: by %s", async (how) => {
    const { before, after } = await recovered(how);
    await using world = await World.start(after);
    world.remembersIdentities = true;
    await world.disk.keepIdentity(before.did, before.identity());
    expect(await answer(world, policy([after.did]))).toBe("allow");
    expect([world.plc.count(), world.pds.count()]).toEqual([1, 2]);
  });
});

describe("decide, when the time is over before what arrived was looked at", () => {
  /** Time that is over as soon as this service has answered. */
  class Late extends Deadline {
    isInvalidated = false;

    override remaining(): number {
      return this.isInvalidated ? 0 : 8000;
    }
  }

  it.each([
    ["directory", "inconclusive net.deadline", 0],
    ["PDS", "inconclusive net.deadline", 1],
  ] as const)("does not look at the answer of the %s", async (purpose, expected, asked) => {
    await using world = await World.start(alice);
    const context = world.context();
    const deadline = new Late(performance.now() + 8000);
    const http: HttpClient = async (request) => {
      const answered = await context.http(request, context.deadline);
      if (request.purpose === purpose) deadline.isInvalidated = true;
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
    const http: HttpClient = async (request) => {
      const answered = await context.http(request, context.deadline);
      deadline.isInvalidated = world.http.asked.length === answers;
      return answered;
    };
    const judged = policy([alice.did, ...nobodies(16)]);
    const { verdict } = await decide(subject(), judged, { ...context, deadline, http });
    expect(verdict).toMatchObject({ outcome: "inconclusive", code: "net.deadline" });
    expect(world.http.asked).toHaveLength(answers);
  });
});
