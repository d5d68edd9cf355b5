import { describe, expect, it } from "vitest";
import type { Config } from "../../../../src/core/config/config.ts";
import type { Subject } from "../../../../src/core/evidence/evidence.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Requirement, TrustedSigner } from "../../../../src/core/policy/policy.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import { answerFromCache, type CachedAnswer } from "../../../../src/verifier/cache/fresh.ts";
import type { DecideContext } from "../../../../src/verifier/service/gather-and-judge.ts";
import { answer, fixedDeadline, policy } from "../../../support/deciding.ts";
import {
  DIGEST,
  digestOf,
  facts,
  INDEX,
  NOW,
  recordOf,
  rule,
  type SignerOptions,
  signer,
  subject,
  TAG,
  TAG_KEY,
  type TestSigner,
  tagRecordOf,
  trusted,
} from "../../../support/evidence.ts";
import { evidenceOf, LOST_OPERATION } from "../../../support/node-disk.ts";
import { MANIFEST_COLLECTION, TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const [MINUTE, DAY] = [60_000, 24 * 3_600_000];
const TTL = 5 * MINUTE;
const OTHER = digestOf("another image");
const HANDLE = "alice.example.com";

/** What is asked, and how. */
interface Asking {
  readonly about?: Partial<Subject>;
  readonly config?: Partial<Config>;
  readonly require?: Partial<Requirement>;
  readonly signers?: readonly (TrustedSigner | TestSigner)[];
  readonly action?: "enforce" | "audit";
  readonly changes?: Partial<DecideContext>;
}

/** A node that has allowed an image, and whose signers are the same until a test changes them. */
class Node {
  readonly world: World;
  readonly alice: TestSigner;
  readonly #signers: readonly TestSigner[];

  private constructor(world: World, signers: readonly [TestSigner, ...TestSigner[]]) {
    this.world = world;
    this.alice = signers[0];
    this.#signers = signers;
  }

  /** @param first the pull that is answered by the network */
  static async that(first: Asking = {}, options: Partial<SignerOptions> = {}): Promise<Node> {
    const alice = await signer({ name: "alice", tag: {}, state: { handle: HANDLE }, ...options });
    const node = new Node(await World.start(alice), [alice]);
    node.world.txt.set(`_atproto.${HANDLE}`, [`did=${alice.did}`]);
    expect(await node.pull(first)).toBe("allow");
    return node;
  }

  static async ofTwo(): Promise<Node> {
    const [alice, bob] = [await signer({ name: "alice" }), await signer({ name: "bob" })];
    return new Node(await World.start(alice, bob), [alice, bob]);
  }

  #trusted({ signers = this.#signers }: Asking): readonly TrustedSigner[] {
    return signers.map((one) => ("log" in one ? trusted(one.did) : one));
  }

  /** Through the network. */
  async pull(asking: Asking = {}): Promise<string> {
    const { about, config, require, action = "enforce" } = asking;
    const judged = policy(this.#trusted(asking), require, { action });
    return answer(this.world, judged, { ...(about && { about }), ...(config && { config }) });
  }

  async cached(asking: Asking = {}): Promise<CachedAnswer | undefined> {
    const { about, config, require, action, changes } = asking;
    const judged = rule(this.#trusted(asking), require, action);
    const context = { ...this.world.context(config), ...changes };
    return answerFromCache(questionOf(subject(about), judged, context.config.atcrHosts, context.now()), context);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

const HERS: Asking = {
  about: { name: { host: "registry.example", path: `${HANDLE}/app` } },
  config: { atcrHosts: ["registry.example"] },
};
const TAGGED: Asking = { about: { tag: TAG }, require: { tag: "match" } };

describe("answerFromCache", () => {
  it("allows by evidence that is fresh, and says by what and of when, without a request", async () => {
    await using node = await Node.that();
    const { world } = node;
    const asked = world.requests.length;
    world.now += 1000;
    const found = await node.cached();
    expect(found?.verdict).toMatchObject({
      outcome: "allow",
      because: {
        kind: "signed",
        rule: "production",
        verifiedAt: NOW,
        notes: ["by cached evidence, fetched at 2025-06-01T12:00:00Z"],
        signatures: [{ signer: node.alice.did, digest: DIGEST }],
      },
    });
    const { record } = await node.alice.evidence();
    expect(found?.signatures().map(({ record: kept }) => kept?.bytes)).toEqual([record?.bytes]);
    expect(world.requests).toHaveLength(asked);
  });

  it("proves nothing where the time is over, and needs no time for what was proven before", async () => {
    await using node = await Node.that(TAGGED);
    const over = { changes: { deadline: fixedDeadline(0) } };
    expect((await node.cached(TAGGED))?.verdict.outcome).toBe("allow");
    expect(await node.cached({ ...TAGGED, ...over })).toBeUndefined();
    expect((await node.cached(over))?.verdict.outcome).toBe("allow");
  });

  it("judges by what was proven before, and does not look at the bytes", async () => {
    await using node = await Node.that();
    const { cache } = node.world.context();
    const find: typeof cache.find = (did, digest) => {
      const known = cache.find(did, digest);
      const signature = () => expect.fail("the bytes are looked at");
      return known && { ...known, signature };
    };
    // The rule does not ask what the tag means.
    const found = await node.cached({ about: { tag: TAG }, changes: { cache: { ...cache, find } } });
    expect(found?.verdict.outcome).toBe("allow");
    expect(found?.signatures).toThrow("the bytes are looked at");
  });

  it("proves the bytes where nothing remembers what they prove, as with another version", async () => {
    await using node = await Node.that();
    const { cache } = node.world.context();
    const find: typeof cache.find = (...asked) => {
      const known = cache.find(...asked);
      return known && { times: known.times, signature: known.signature };
    };
    const changes = { cache: { ...cache, find } };
    expect((await node.cached({ changes }))?.verdict.outcome).toBe("allow");
    node.world.disk.rewriteSignatures("evidence", (kept) => {
      kept.record?.bytes.fill(0, 100, 101);
      return kept;
    });
    expect(await node.cached({ changes })).toBeUndefined();
  });

  it("allows under another name, tag or rule where these are met by the same evidence", async () => {
    await using node = await Node.that();
    const name = { host: "mirror.example", path: "deep/team/app" };
    for (const about of [{ tag: "v2" }, { name }, { name: { ...name, digest: DIGEST } }]) {
      expect((await node.cached({ about }))?.verdict.outcome).toBe("allow");
    }
    expect((await node.cached({ require: { maxAge: 30 * DAY } }))?.verdict.outcome).toBe("allow");
  });

  it("allows under a rule that audits, by the signature", async () => {
    await using node = await Node.that();
    expect((await node.cached({ action: "audit" }))?.verdict.because.kind).toBe("signed");
    expect(await node.cached({ action: "audit", require: { maxAge: 1 } })).toBeUndefined();
  });

  it("counts several signers, and says when the oldest of it was had", async () => {
    await using node = await Node.ofTwo();
    const two = { minSignatures: 2 };
    expect(await node.pull({ require: two })).toBe("allow");
    expect((await node.cached({ require: two }))?.signatures()).toHaveLength(2);
    node.world.disk.lose("evidence");
    expect(await node.pull({ signers: [node.alice] })).toBe("allow");
    expect(await node.cached({ require: two })).toBeUndefined();
    expect((await node.cached())?.verdict.outcome).toBe("allow");
  });

  it("says also of a pull by digest that no tag was checked", async () => {
    await using node = await Node.that(TAGGED);
    const name = { host: "registry.example", path: "team/app", digest: DIGEST };
    const found = await node.cached({ about: { name }, require: { tag: "match" } });
    expect(found?.verdict.because).toMatchObject({
      notes: [expect.stringContaining("no tag was checked"), expect.stringContaining("by cached evidence")],
    });
  });
});

describe("answerFromCache, how old evidence may be", () => {
  it("is none where one part is ahead of the clock, though another is not", async () => {
    await using node = await Node.that();
    node.world.disk.rewriteSignatures("evidence", ({ record, ...kept }) => ({
      ...kept,
      ...(record && { record: { ...record, fetchedAt: NOW + 1 } }),
    }));
    expect(await node.cached()).toBeUndefined();
    node.world.now++;
    expect(await node.cached()).toBeDefined();
  });

  it.each([
    ["of this moment", 0, true],
    ["just young enough", TTL, true],
    ["too old by a millisecond", TTL + 1, false],
    ["ahead of the clock by a millisecond", -1, false],
  ])("%s", async (_, later, expected) => {
    await using node = await Node.that();
    node.world.now += later;
    expect((await node.cached()) !== undefined).toBe(expected);
  });

  it("is by the configuration of now", async () => {
    await using node = await Node.that();
    node.world.now += 1000;
    expect(await node.cached({ config: { cacheTTL: 999 } })).toBeUndefined();
    expect(await node.cached({ config: { cacheTTL: 1000 } })).toBeDefined();
    expect(await node.cached({ config: { cacheEnabled: false } })).toBeUndefined();
  });

  it("counts from its oldest part: the identity may have been had for another image", async () => {
    await using node = await Node.that();
    const { world, alice } = node;
    world.remembersIdentities = true;
    world.now += MINUTE;
    await alice.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 1000);
    const about = { digest: OTHER };
    world.plc.forget();
    expect(await node.pull({ about })).toBe("allow");
    expect(world.plc.count()).toBe(0);
    world.now = NOW + TTL;
    expect((await node.cached({ about }))?.verdict.because).toMatchObject({ verifiedAt: NOW });
    world.now++;
    expect(await node.cached({ about })).toBeUndefined();
  });
});

describe("answerFromCache, under the policy of now, does not answer where", () => {
  it.each<[string, Partial<TrustedSigner>, Partial<Requirement>]>([
    ["the signer is revoked", { revoked: true }, {}],
    ["the signer has expired", { expiresAt: NOW }, {}],
    ["the signer is not valid yet", { validFrom: NOW + 1 }, {}],
    ["another key is pinned", { keys: ["did:key:other"] }, {}],
    ["another PDS is pinned", { pds: ["https://other.example"] }, {}],
    ["minRev was raised", { minRev: "3zzzzzzzzzzzz" as NonNullable<TrustedSigner["minRev"]> }, {}],
    ["the record is older than maxAge", {}, { maxAge: DAY }],
    ["the key is too young", {}, { minKeyAge: 1 }],
    ["the record is of another repository", {}, { repository: ["other"] }],
    ["more signatures are asked for", {}, { minSignatures: 2 }],
    ["the owner must be known", {}, { owner: "match" }],
    ["the tag must mean it", {}, { tag: "match" }],
  ])("%s", async (_, changes, require) => {
    await using node = await Node.that();
    const about = { tag: TAG };
    expect(await node.cached({ about, signers: [trusted(node.alice.did)] })).toBeDefined();
    expect(await node.cached({ about, signers: [trusted(node.alice.did, changes)], require })).toBeUndefined();
  });

  it("nobody is trusted any more, or somebody else", async () => {
    await using node = await Node.that();
    const bob = await signer({ name: "bob" });
    expect(await node.cached({ signers: [bob] })).toBeUndefined();
    expect(await node.cached({ signers: [bob, node.alice] })).toBeDefined();
  });

  it.each<[string, Partial<Subject>]>([
    ["the digest is another", { digest: OTHER }],
    ["the registry's media type disagrees", { mediaType: INDEX }],
    ["the name is of another repository", { name: { host: "registry.example", path: "team/web" } }],
  ])("%s", async (_, about) => {
    await using node = await Node.that();
    expect(await node.cached({ about })).toBeUndefined();
  });

  it("the registry's size disagrees", async () => {
    await using node = await Node.that();
    const { cache } = node.world.context();
    const find: typeof cache.find = (...asked) => {
      const known = cache.find(...asked);
      if (known?.proven === undefined) throw new Error("nothing is proven");
      const { facts: proven } = known.proven;
      return { ...known, proven: { ...known.proven, facts: { ...proven, claim: { ...proven.claim, blobSize: 500 } } } };
    };
    const changes = { cache: { ...cache, find } };
    expect(await node.cached({ about: { size: 500 }, changes })).toBeDefined();
    expect(await node.cached({ about: { size: 501 }, changes })).toBeUndefined();
  });
});

describe("answerFromCache, against what this node has seen since, does not answer where", () => {
  it("a newer rev of the signer was seen, of another image", async () => {
    await using node = await Node.that();
    const { alice, world } = node;
    expect(await node.cached()).toBeDefined();
    await alice.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 1000);
    expect(await node.pull({ about: { digest: OTHER } })).toBe("allow");
    expect(await node.cached({ about: { digest: OTHER } })).toBeDefined();
    expect(await node.cached()).toBeUndefined();
    // As was the deletion of the record, whoever saw it.
    await alice.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW - 500);
    expect(await node.pull()).toBe("deny signature.none");
    expect(world.disk.cached).toEqual([evidenceOf({ signer: alice.did }, OTHER)]);
  });

  it("the log has an operation that the evidence lacks", async () => {
    await using node = await Node.that();
    await node.world.disk.recordObservation({ signer: node.alice.did, revs: [], operations: [LOST_OPERATION] });
    expect(await node.cached()).toBeUndefined();
  });

  it("a did:web had another key since", async () => {
    await using node = await Node.that({}, { method: "web" });
    expect(await node.cached()).toBeDefined();
    node.world.now++;
    await node.world.disk.recordObservation({ signer: node.alice.did, revs: [], key: signingKey("k256", "new").did() });
    expect(await node.cached()).toBeUndefined();
  });

  it("the memory of the signer cannot be used", async () => {
    await using node = await Node.that();
    node.world.disk.openToAll("state");
    expect(await node.cached()).toBeUndefined();
  });

  it("nothing was proven but absence", async () => {
    const alice = await signer({ name: "alice", record: null });
    await using world = await World.start(alice);
    expect(await answer(world, policy([alice.did]))).toBe("deny signature.none");
    const judged = rule([trusted(alice.did)]);
    expect(await answerFromCache(questionOf(subject(), judged, [], NOW), world.context())).toBeUndefined();
    expect(world.disk.count("evidence")).toBe(0);
  });

  it("the signer's account was closed, or its repo taken down", async () => {
    for (const close of [
      async ({ alice }: Node) => alice.log.tombstone({ at: NOW }),
      async ({ world, alice }: Node) => world.pds.setStatus(alice.did, "RepoTakendown"),
    ]) {
      await using node = await Node.that();
      await close(node);
      expect(await node.pull({ about: { digest: OTHER } })).not.toBe("allow");
      expect(await node.cached()).toBeUndefined();
    }
  });
});

describe("answerFromCache, of whom the handle is", () => {
  it("allows where it was heard, and says when", async () => {
    await using node = await Node.that(HERS);
    const { alice } = node;
    expect(await node.cached(HERS)).toMatchObject({ owner: { handle: HANDLE, did: alice.did } });
    change(node, { fetchedAt: NOW - 1000 });
    expect((await node.cached(HERS))?.verdict.because).toMatchObject({ verifiedAt: NOW - 1000 });
    const { owner: _, ...rest } = (await node.cached()) ?? {};
    expect(rest).toMatchObject({ verdict: { because: { verifiedAt: NOW } } });
  });

  it.each<[string, (node: Node) => void]>([
    ["nobody was heard", ({ world }) => world.disk.lose("owners")],
    ["it was too long ago", (node) => change(node, { fetchedAt: NOW - TTL - 1 })],
    ["it is of the future", (node) => change(node, { fetchedAt: NOW + 1 })],
    ["it is somebody else's", (node) => change(node, { did: "did:web:eve.example" as TestSigner["did"] })],
    ["it is about another handle", (node) => change(node, { handle: "eve.example.com" })],
  ])("does not answer where %s", async (_, spoil) => {
    await using node = await Node.that(HERS);
    spoil(node);
    expect(await node.cached(HERS)).toBeUndefined();
  });

  function change({ world }: Node, changes: object): void {
    world.disk.rewrite("owners", ({ evidence: { owner, ...evidence }, ...image }) => ({
      ...image,
      evidence: { ...evidence, ...(owner && { owner: { ...owner, ...changes } }) },
    }));
  }

  it("does not answer where the signer gave the handle up, as their identity was when the evidence was had", async () => {
    await using node = await Node.that(HERS, { state: { handle: HANDLE } });
    const about = { name: { host: "registry.example", path: "eve.example.com/app" } };
    await node.world.disk.keepOwner({
      handle: "eve.example.com",
      did: node.alice.did,
      source: "DNS",
      fetchedAt: NOW,
    });
    expect(await node.cached({ ...HERS, about })).toBeUndefined();
  });
});

describe("answerFromCache, of what the tag means", () => {
  it("allows where it was proven, by the newest answer about it", async () => {
    await using node = await Node.that(TAGGED);
    const found = await node.cached(TAGGED);
    expect(found?.signatures()[0]?.tag?.bytes).toEqual((await node.alice.tag()).bytes);
    expect(found?.verdict.because).toMatchObject({ signatures: [{ tag: { claim: { tag: TAG } } }] });
  });

  it.each<[string, Asking, (world: World) => void]>([
    ["another tag is pulled", { about: { tag: "v2" } }, () => {}],
    ["it was forgotten", {}, ({ disk }) => disk.lose("tags")],
    ["it was too long ago", {}, (world) => changeTag(world, { fetchedAt: NOW - TTL - 1 })],
    ["it is of the future", {}, (world) => changeTag(world, { fetchedAt: NOW + 1 })],
    ["it is damaged", {}, (world) => changeTag(world, { bytes: new Uint8Array(10) })],
    [
      "the name has neither tag nor digest",
      { about: { name: { host: "registry.example", path: "team/app" } } },
      () => {},
    ],
  ])("does not answer where %s", async (_, asking, spoil) => {
    await using node = await Node.that(TAGGED);
    spoil(node.world);
    expect(await node.cached({ require: { tag: "match" }, ...TAGGED, ...asking })).toBeUndefined();
  });

  function changeTag({ disk }: World, changes: object): void {
    disk.rewriteSignatures("tags", ({ tag, ...kept }) => ({ ...kept, ...(tag && { tag: { ...tag, ...changes } }) }));
  }

  it("does not answer for the image that it meant before, once it was seen to mean another", async () => {
    await using node = await Node.that(TAGGED);
    const { alice } = node;
    await alice.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 2000);
    const manifest = `at://${alice.did}/${MANIFEST_COLLECTION}/${digestHex(OTHER)}`;
    await alice.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(alice.did, { manifest }), NOW - 1000);
    const moved = { ...TAGGED, about: { tag: TAG, digest: OTHER } };
    expect(await node.pull(moved)).toBe("allow");
    expect(await node.cached(moved)).toBeDefined();
    expect(await node.cached(TAGGED)).toBeUndefined();
  });
});

describe("answerFromCache, the judgement", () => {
  it("is what decides: facts of another digest or signer in the cache's word allow nothing", async () => {
    await using node = await Node.that();
    const { cache } = node.world.context();
    const giving = (changed: object): Asking => ({
      changes: {
        cache: {
          ...cache,
          find: (...asked) => {
            const known = cache.find(...asked);
            if (known?.proven === undefined) throw new Error("nothing is proven");
            return { ...known, proven: { ...known.proven, facts: { ...known.proven.facts, ...changed } } };
          },
        },
      },
    });
    expect(await node.cached(giving({}))).toBeDefined();
    for (const changed of [
      { digest: OTHER },
      { signer: "did:web:eve.example" },
      facts("did:web:eve.example" as never),
    ]) {
      expect(await node.cached(giving(changed))).toBeUndefined();
    }
  });

  it("is made once for each pull, with this pull's time", async () => {
    await using node = await Node.that();
    const signers = [trusted(node.alice.did, { expiresAt: NOW + 1000 })];
    node.world.now = NOW + 999;
    expect(await node.cached({ signers })).toBeDefined();
    node.world.now = NOW + 1000;
    expect(await node.cached({ signers })).toBeUndefined();
  });

  it("is of those alone who count now and of whom there is evidence, whatever is gone by then", async () => {
    await using node = await Node.ofTwo();
    expect(await node.pull({ signers: [node.alice] })).toBe("allow");
    const { cache } = node.world.context();
    expect(await node.cached({ changes: { cache: { ...cache, find: () => undefined } } })).toBeUndefined();
    const context = node.world.context();
    const loadedHistory: string[] = [];
    const loadHistory: typeof context.loadHistory = async (did) => {
      loadedHistory.push(did);
      return context.loadHistory(did);
    };
    expect(await node.cached({ changes: { loadHistory } })).toBeDefined();
    expect(loadedHistory).toEqual([node.alice.did]);
    const signers = [trusted(node.alice.did, { revoked: true })];
    expect(await node.cached({ signers, changes: { loadHistory } })).toBeUndefined();
    expect(loadedHistory).toEqual([node.alice.did]);
  });
});
