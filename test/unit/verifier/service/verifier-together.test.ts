import { describe, expect, it, vi } from "vitest";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { HttpClient } from "../../../../src/io/net/exchange.ts";
import { fixedDeadline, policy } from "../../../support/deciding.ts";
import { DIGEST, digestOf, NOW, recordOf, signer, subject, type TestSigner } from "../../../support/evidence.ts";
import { ask, headline, RecordedSession } from "../../../support/recorded-session.ts";
import { MANIFEST_COLLECTION } from "../../../support/signed-repo.ts";
import { World } from "../../../support/world.ts";

// Two questions at the same time, about one image or of one signer: by one verifier, and by two as two processes have.

const OTHER = digestOf("another image");
const [IMAGE, SIGNER] = [/^image-/, /^signer-/];

/** Her repo has the records of two images, unless it has none. */
async function alice({ record }: { record?: null } = {}): Promise<TestSigner> {
  const made = await signer({ name: "alice", ...(record === null && { record }) });
  if (record !== null) await made.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 1000);
  return made;
}

/** A client that gives the first answer from a URL of this kind when `arrive` is called. */
function slow(world: World, kind: string) {
  const { promise: arrival, resolve: arrive } = Promise.withResolvers<void>();
  const { promise: asked, resolve: hasAsked } = Promise.withResolvers<void>();
  let isFirst = true;
  const http: HttpClient = async (request, deadline) => {
    const isHeld = isFirst && request.url.includes(kind);
    if (isHeld) isFirst = false;
    const answer = await world.http.get(request, deadline);
    if (!isHeld) return answer;
    hasAsked();
    await arrival;
    return answer;
  };
  return { http, asked, arrive };
}

/** Waits until a question waits for another one. */
async function waits(session: RecordedSession, forWhat: string): Promise<void> {
  await vi.waitFor(() => expect(session.deadline.waitingFor().join()).toContain(forWhat), { timeout: 5000 });
}

describe.each([
  ["one verifier", true],
  ["two verifiers of a node", false],
])("two questions about one image, %s", (_, isOne) => {
  async function pair(made: Parameters<typeof alice>[0] = {}) {
    const who = await alice(made);
    const world = await World.start(who);
    const { http, asked, arrive } = slow(world, "getRecord");
    const judged = policy([who.did]);
    const first = world.verifier(judged, { http });
    return { who, world, asked, arrive, first, second: isOne ? first : world.verifier(judged, { http }) };
  }

  it("ask once: the second takes the evidence of the first, and judges it itself", async () => {
    const { who, world, asked, arrive, first, second } = await pair();
    await using w = world;
    const answered = first.verify(subject(), new RecordedSession(w));
    await asked;
    expect(w.disk.locks()).toEqual([expect.stringMatching(IMAGE)]);
    const session = new RecordedSession(w);
    const waiting = second.verify(subject(), session);
    await waits(session, "verifies this image");
    arrive();
    expect([headline(await answered), (await answered).cache]).toEqual(["signed", "none"]);
    const decision = await waiting;
    expect([headline(decision), decision.cache]).toEqual(["signed", "fresh"]);
    expect(decision.evidence?.().signatures.map((one) => one.signer)).toEqual([who.did]);
    expect([session.events.length, session.requestCounts.asked.size, w.pds.count()]).toEqual([1, 0, 1]);
    expect(w.disk.locks()).toEqual([]);
  });

  it("ask each for themselves where the first is refused: no verdict is handed over", async () => {
    const { world, asked, arrive, first, second } = await pair({ record: null });
    await using w = world;
    const answered = first.verify(subject(), new RecordedSession(w));
    await asked;
    const session = new RecordedSession(w);
    const waiting = second.verify(subject(), session);
    await waits(session, "verifies this image");
    arrive();
    expect([headline(await answered), headline(await waiting)]).toEqual(["deny signature.none", "deny signature.none"]);
    expect([session.events.length, w.pds.count()]).toEqual([2, 2]);
    expect(w.disk.locks()).toEqual([]);
  });

  it("leave each other's lock alone where the second loses patience", async () => {
    const { world, asked, arrive, first, second } = await pair();
    await using w = world;
    const answered = first.verify(subject(), new RecordedSession(w));
    await asked;
    const held = w.disk.locks();
    expect(held).toHaveLength(1);
    await second.verify(subject(), new RecordedSession(w, fixedDeadline(400)));
    expect(w.disk.locks()).toEqual(held);
    arrive();
    await answered;
    expect(w.disk.locks()).toEqual([]);
  });
});

describe("two questions about images of one signer", () => {
  it("ask once who the signer is", async () => {
    const who = await alice();
    await using world = await World.start(who);
    const { http, asked, arrive } = slow(world, "plc.example");
    const judged = policy([who.did]);
    const answered = world.verifier(judged, { http }).verify(subject(), new RecordedSession(world));
    await asked;
    expect(world.disk.locks()).toEqual([expect.stringMatching(IMAGE), expect.stringMatching(SIGNER)]);
    const session = new RecordedSession(world);
    const waiting = world.verifier(judged, { http }).verify(subject({ digest: OTHER }), session);
    await waits(session, who.did);
    arrive();
    expect([headline(await answered), headline(await waiting)]).toEqual(["signed", "signed"]);
    expect([world.plc.count(), world.pds.count()]).toEqual([1, 2]);
    expect(world.disk.locks()).toEqual([]);
  });

  it("ask once who each of several signers is, whichever is asked for first", async () => {
    const [she, bob] = [await alice(), await signer({ name: "bob" })];
    await bob.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 1000);
    await using world = await World.start(she, bob);
    const orders = [
      [she.did, bob.did],
      [bob.did, she.did],
    ];
    const decisions = await Promise.all(
      [DIGEST, OTHER].map((digest, i) => {
        const judged = policy(orders[i] ?? [], { minSignatures: 2 });
        return ask(world, judged, world.verifier(judged), subject({ digest }));
      }),
    );
    expect(decisions.map(({ decision }) => headline(decision))).toEqual(["signed", "signed"]);
    expect([world.plc.count(), world.pds.count()]).toEqual([2, 4]);
    expect(world.disk.locks()).toEqual([]);
  });
});

describe("the locks of a question", () => {
  it.each<[string, (http: HttpClient) => HttpClient, string]>([
    ["an error", () => () => Promise.reject(new TypeError("a bug")), "internal internal.error"],
    ["an answer that could not wait", () => () => new Promise(() => {}), "inconclusive net.deadline"],
  ])("are given up after %s", async (_, change, expected) => {
    const who = await alice();
    await using world = await World.start(who);
    const locks: (readonly string[])[] = [];
    const changed = change(world.http.get);
    const http: HttpClient = (request, deadline) => {
      locks.push(world.disk.locks());
      return changed(request, deadline);
    };
    const decision = await world
      .verifier(policy([who.did]), { http })
      .verify(subject(), new RecordedSession(world, fixedDeadline(100)));
    expect(headline(decision)).toBe(expected);
    expect(locks.flat()).toContainEqual(expect.stringMatching(IMAGE));
    // What runs beside an error may take a lock after it, and gives it up by itself.
    await vi.waitFor(() => expect(world.disk.locks()).toEqual([]));
  });

  it("are given up when the verifier is closed, whatever goes on", async () => {
    const who = await alice();
    await using world = await World.start(who);
    const { http, asked, arrive } = slow(world, "plc.example");
    const verifier = world.verifier(policy([who.did]), { http });
    const answered = verifier.verify(subject(), new RecordedSession(world));
    await asked;
    expect(world.disk.locks()).toHaveLength(2);
    verifier.close();
    expect(world.disk.locks()).toEqual([]);
    arrive();
    expect(headline(await answered)).toBe("signed");
  });
});
