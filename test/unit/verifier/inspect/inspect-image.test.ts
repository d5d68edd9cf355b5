import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Handle, normaliseHandle } from "../../../../src/core/atproto/handle.ts";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { type Inspection, type InspectRequest, inspectImage } from "../../../../src/verifier/inspect/inspect-image.ts";
import { DIGEST, didNamed, digestOf, signer, TAG, tagRecordOf } from "../../../support/evidence.ts";
import { MANIFEST_COLLECTION, TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { World } from "../../../support/world.ts";

const asHandle = (text: string): Handle => normaliseHandle(text) ?? expect.fail(text);
const NAME = { host: "registry.example", path: "team/app" };
const alice = await signer({ name: "alice", tag: {} });
const bob = await signer({ name: "bob", record: null });
const web = await signer({ name: "web", method: "web" });

let world: World;
beforeEach(async () => {
  world = await World.start(alice, bob, web);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function inspect(changes: Partial<InspectRequest> = {}, config: Parameters<World["context"]>[0] = {}, time = 8000) {
  const request = { name: { ...NAME, digest: DIGEST }, given: [], ...changes };
  return inspectImage(request, world.context(config, time));
}
const of = ({ signers }: Inspection, did: Did) => signers.find((signer) => signer.did === did);
const states = ({ signers }: Inspection) => signers.map(({ did, found }) => [did, found?.record !== undefined]);

describe("the signers that are inspected", () => {
  it("are those whom referrers name, though no policy names them", async () => {
    for (const { did } of [alice, bob, web]) world.attach({ did });
    const found = await inspect();
    expect(states(found)).toEqual([alice, bob, web].map(({ did }) => [did, true]));
    expect(of(found, alice.did)).toMatchObject({
      sources: [{ kind: "referrer", url: expect.stringContaining("/manifests/sha256:") }],
      found: { record: { commit: alice.repo.head, rev: alice.repo.rev, claim: { repository: "app" } }, gaps: [] },
    });
    expect(of(found, bob.did)?.found?.record).not.toHaveProperty("cid");
    expect(of(found, web.did)?.found?.identity?.proof.history).toBeUndefined();
  });

  it("are at most 16 of 1,000 that a registry names, 8 at a time", async () => {
    const letters = "abcdefghijklmnopqrstuvwxyz234567";
    const dids = Array.from({ length: 1000 }, (_, i) => {
      const id = [letters[i % 32], letters[Math.floor(i / 32)]].join("");
      return `did:plc:${id.padEnd(24, "a")}` as Did;
    });
    for (const did of dids) world.attach({ did });
    world.plc.delay(100);
    const found = await inspect();
    expect(found.signers).toHaveLength(16);
    expect(world.contacted).toHaveLength(16);
    expect(Math.max(...world.plc.requests.map(({ inFlight }) => inFlight))).toBe(8);
    expect(found.notAsked.length).toBeGreaterThan(0);
    expect(found.gaps).toMatchObject([{ code: "registry.too_many_candidates" }]);
    for (const { found: of } of found.signers) expect(of?.gaps).toMatchObject([{ code: "identity.unknown_did" }]);
  });

  it("are each asked once, however many referrers name them", async () => {
    for (let i = 0; i < 40; i++) world.attach({ did: alice.did, annotations: { n: String(i) } });
    const found = await inspect({ given: [alice.did] });
    expect(states(found)).toEqual([[alice.did, true]]);
    expect(world.plc.requests).toHaveLength(1);
    expect(of(found, alice.did)?.sources[0]).toEqual({ kind: "given", text: alice.did });
    expect(of(found, alice.did)?.sources.length).toBeLessThanOrEqual(5);
  });

  it("include the owner of the handle, who goes first whatever the registry lists", async () => {
    for (const letter of "bcdefghijklmnopqrstuv") world.attach({ did: didNamed(letter) });
    world.txt.set("_atproto.alice.example.com", [`did=${alice.did}`]);
    world.registry.attach(
      "alice.example.com/app",
      { mediaType: "x", digest: DIGEST, size: 1 },
      { annotations: { "io.atcr.atproto.did": bob.did } },
    );
    const name = { host: "registry.example", path: "alice.example.com/app", tag: TAG, digest: DIGEST };
    const found = await inspect({ name }, { atcrHosts: ["registry.example"] });
    expect(found.owner).toMatchObject({ did: alice.did });
    expect(found.signers.map(({ did, sources }) => [did, sources[0]?.kind])).toEqual([
      [alice.did, "owner"],
      [bob.did, "referrer"],
    ]);
    expect(of(found, alice.did)?.found?.tag).toMatchObject({ names: DIGEST, path: "io.atcr.tag/app_v1" });
  });

  it("keep a place for the owner while strangers' servers hang", async () => {
    const strangers = "bcdefghijklmnopqrs".split("").map(didNamed);
    for (const did of strangers) {
      world.registry.attach(
        "alice.example.com/app",
        { mediaType: "x", digest: DIGEST, size: 1 },
        {
          annotations: { "io.atcr.atproto.did": did },
        },
      );
      world.plc.delay(60_000, did);
    }
    world.txt.set("_atproto.alice.example.com", [`did=${alice.did}`]);
    const name = { host: "registry.example", path: "alice.example.com/app", digest: DIGEST };
    const found = await inspect({ name }, { atcrHosts: ["registry.example"] }, 1500);
    expect(of(found, alice.did)?.found?.record).toMatchObject({ commit: alice.repo.head });
    expect(found.signers).toHaveLength(16);
  });
});

describe("what hangs or fails", () => {
  it("does not hide the others", async () => {
    const slow = await signer({ name: "slow" });
    world.add(slow);
    for (const { did } of [slow, alice]) world.attach({ did });
    world.pds.delay(60_000, (request) => request.query.get("did") === slow.did);
    const found = await inspect({}, {}, 1500);
    expect(of(found, alice.did)?.found?.record).toMatchObject({ commit: alice.repo.head });
    expect(of(found, slow.did)?.found).toMatchObject({ gaps: [{ service: "pds", code: "net.deadline" }] });
  });

  it("leaves time for those behind it in the registry's list", async () => {
    for (const did of "bcdefghi".split("").map(didNamed)) {
      world.attach({ did });
      world.plc.delay(60_000, did);
    }
    world.attach({ did: alice.did });
    const found = await inspect({}, {}, 3000);
    expect(of(found, alice.did)?.found?.record).toMatchObject({ commit: alice.repo.head });
  });

  it("does not outlast the deadline, even where it never ends", async () => {
    const never = () => new Promise<never>(() => {});
    const context = { ...world.context({}, 1000), txt: never };
    const found = await inspectImage(
      { name: { ...NAME, digest: DIGEST }, given: [asHandle("x.example.com"), alice.did] },
      context,
    );
    expect(found.unknown).toEqual([]);
    expect(of(found, alice.did)).toMatchObject({ did: alice.did });
  });

  it("is not proven where the proof arrives too late", async () => {
    const context = world.context({}, 700);
    const http: typeof context.http = async (request, deadline) => {
      const response = await world.http.get(request, deadline);
      if (request.purpose === "PDS") {
        while (context.deadline.remaining() > 0) {
          await new Promise((resume) => setTimeout(resume, context.deadline.remaining()));
        }
      }
      return response;
    };
    const found = await inspectImage({ name: { ...NAME, digest: DIGEST }, given: [web.did] }, { ...context, http });
    expect(of(found, web.did)?.found?.gaps).toMatchObject([{ code: "net.deadline", answered: true }]);
    expect(of(found, web.did)?.found).not.toHaveProperty("record");
  });

  it("is shown with its reason", async () => {
    world.attach({ did: alice.did });
    world.pds.override("getRecord", { status: 500 });
    const found = await inspect();
    expect(of(found, alice.did)?.found).toMatchObject({ identity: {}, gaps: [{ code: "pds.bad_response" }] });
  });

  it("is a forged proof: shown as not proven", async () => {
    world.attach({ did: alice.did });
    world.pds.override("getRecord", { body: await bob.repo.proof(MANIFEST_COLLECTION, DIGEST.slice(7)) });
    const found = await inspect();
    expect(of(found, alice.did)?.found?.record).toMatchObject({ code: "commit.wrong_did" });
    expect(of(found, alice.did)?.found?.record).not.toHaveProperty("commit");
  });
});

describe("an image whose tag the registry does not resolve", () => {
  const name = { host: "registry.example", path: "alice.example.com/app", tag: TAG };
  const config = { atcrHosts: ["registry.example"] };
  beforeEach(() => {
    world.txt.set("_atproto.alice.example.com", [`did=${alice.did}`]);
    world.registry.override("", { status: 401, headers: { "www-authenticate": 'Basic realm="login"' } });
  });

  it.each<[string, Record<string, unknown>]>([
    ["manifest", {}],
    ["manifest and manifestDigest", { manifestDigest: DIGEST }],
    ["manifestDigest alone", { manifest: undefined, manifestDigest: DIGEST }],
    ["manifest, updatedAt and mediaType", { updatedAt: "2025-01-01T00:00:00Z", mediaType: "x" }],
  ])("means what its owner's record says by %s", async (_, changes) => {
    const { manifest, ...record } = tagRecordOf(alice.did, changes);
    const written = manifest === undefined ? record : { ...record, manifest };
    await alice.repo.put(TAG_COLLECTION, "app_v1", written, world.now - 1000);
    const found = await inspect({ name }, config);
    expect(found).not.toHaveProperty("digest");
    expect(found.unresolved?.code).toBe("registry.unauthorized");
    expect(of(found, alice.did)?.found).toMatchObject({
      tag: { names: DIGEST },
      record: { commit: alice.repo.head, claim: { repository: "app" } },
    });
    expect(world.registry.requests.every(({ path }) => !path.includes("referrers"))).toBe(true);
  });

  it("means nothing where the record is about another tag that shares its key", async () => {
    const other = tagRecordOf(alice.did, { repository: "a", tag: "pp_v1" });
    await alice.repo.put(TAG_COLLECTION, "app_v1", other, world.now);
    const { found } = of(await inspect({ name }, config), alice.did) ?? {};
    expect(found?.tag).toMatchObject({ objection: { code: "tag.mismatch" } });
    expect(found?.tag).not.toHaveProperty("names");
    expect(found).not.toHaveProperty("record");
  });

  it("is looked up as the tag latest where its name has none", async () => {
    const found = await inspect({ name: { host: "registry.example", path: "alice.example.com/app" } }, config);
    expect(found.tag).toBe("latest");
    expect(of(found, alice.did)?.found?.tag).not.toHaveProperty("cid");
  });

  it("is what the registry says where it answers", async () => {
    world.registry.reset();
    const { digest } = world.registry.pushImage(name.path, "salt", TAG);
    const found = await inspect({ name }, config);
    expect(found).toMatchObject({ digest, resolved: { by: "registry.example" } });
    expect(digest).not.toBe(digestOf(""));
  });
});

describe("an inspection", () => {
  it("writes nothing to this node's cache and signer history", async () => {
    world.attach({ did: alice.did });
    const context = world.context();
    const refuse = () => expect.fail("the node's stores are used");
    const found = await inspectImage(
      { name: { ...NAME, digest: DIGEST }, given: [] },
      { ...context, loadHistory: refuse, identities: { find: refuse, keep: refuse, oneAtATime: refuse } },
    );
    expect(found.signers).toHaveLength(1);
  });
});
