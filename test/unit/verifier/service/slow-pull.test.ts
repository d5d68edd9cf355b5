import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Subject } from "../../../../src/core/evidence/evidence.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import { select } from "../../../../src/core/policy/select.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { EvidenceCache } from "../../../../src/io/store/evidence-cache.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { answerFromCache } from "../../../../src/verifier/cache/fresh.ts";
import type { DecideContext } from "../../../../src/verifier/service/gather-and-judge.ts";
import { keyIn } from "../../../support/cache-key.ts";
import { decide, policy } from "../../../support/deciding.ts";
import { didDocument } from "../../../support/did-document.ts";
import type { TestSigner } from "../../../support/evidence.ts";
import {
  DIGEST,
  digestOf,
  NOW,
  recordOf,
  signer,
  subject,
  TAG,
  TAG_KEY,
  tagRecordOf,
} from "../../../support/evidence.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { MANIFEST_COLLECTION, TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { warned } from "../../../support/warned.ts";
import { World } from "../../../support/world.ts";

// A pull that has asked and is slow, another that learns meanwhile what ends the evidence, and then no service at
// all: over the stores as they are on a disk.

const DAY = 24 * 3_600_000;
const HANDLE = "alice.example.com";
const NEXT = digestOf("the next image");
const RULE = { maxStaleness: 7 * DAY, tag: "match", owner: "match" } as const;
/** Services are asked at each pull. */
const CONFIG = { atcrHosts: ["registry.example"], cacheTTL: 500 };
const JUDGED = (did: TestSigner["did"]) => policy([did], RULE);

const root = makeTemporaryDirectory("slow-pull");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

const pulled = (digest = DIGEST): Subject =>
  subject({ name: { host: "registry.example", path: `${HANDLE}/app` }, tag: TAG, digest });

/** A node whose processes share two folders. */
class Node {
  readonly folder = join(root, String(++count));
  readonly warnings: string[] = [];
  readonly world: World;

  constructor(world: World) {
    this.world = world;
    mkdirSync(this.folder);
  }

  /** What a process of its own works with. @param cacheDir another than the node's, where it is given */
  process(cacheDir = join(this.folder, "cache")): DecideContext {
    const warn = warned(this.warnings);
    const now = () => this.world.now;
    const signers = new SignerStore(join(this.folder, "state"), warn);
    const cache = new EvidenceCache(cacheDir, "program", keyIn(this.folder), warn);
    return {
      ...this.world.context(CONFIG),
      cache,
      loadHistory: async (did) => signers.loadHistory(did, now()),
      recordObservation: async (observation) => signers.recordObservation(observation, now()),
      identities: {
        find: (did) => cache.findIdentity(did),
        keep: async (digest, did, identity) => cache.keepIdentity(digest, did, identity),
        oneAtATime: async (_, __, ask) => ask(),
      },
    };
  }

  async pull(did: TestSigner["did"], about = pulled(), context = this.process()): Promise<string> {
    const { verdict } = await decide(about, JUDGED(did), context);
    return verdict.outcome === "allow" ? "allow" : `${verdict.outcome} ${verdict.code}`;
  }

  async isCached(did: TestSigner["did"], about = pulled()): Promise<boolean> {
    const selection = select(JUDGED(did), about.name, about.digest);
    if (selection.kind !== "judge") throw new Error("no rule is selected");
    const { rule } = selection;
    const own = this.process();
    const context = { ...own, config: { ...own.config, cacheTTL: DAY } };
    return (await answerFromCache(questionOf(about, rule, CONFIG.atcrHosts, context.now()), context)) !== undefined;
  }
}

/** A context whose answers about record, tag and handle arrive when `arrive` is called; they are on their way by then. */
function slow(context: DecideContext) {
  const { promise: arrival, resolve: arrive } = Promise.withResolvers<void>();
  const { promise: asked, resolve: hasAsked } = Promise.withResolvers<void>();
  let left = 3;
  const held = async <T>(answer: T): Promise<T> => {
    if (--left === 0) hasAsked();
    await arrival;
    return answer;
  };
  const http: DecideContext["http"] = async (request, deadline) => {
    const answer = await context.http(request, deadline);
    return request.url.includes("getRecord") ? held(answer) : answer;
  };
  const txt: DecideContext["txt"] = async (request, deadline) => held(await context.txt(request, deadline));
  return { context: { ...context, http, txt }, asked, arrive };
}

interface Ended {
  /** What becomes of the signer after the slow pull has asked. */
  readonly change: (world: World, alice: TestSigner) => Promise<unknown>;
  /** What the other pull is of; the same image by default. */
  readonly other?: Subject;
  readonly answer: string;
  readonly method?: "plc" | "web";
}

const gone = { status: 404, json: { error: "RecordNotFound" } };
const CASES: Readonly<Record<string, Ended>> = {
  "the record is deleted": {
    change: (w, alice) => alice.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), w.now),
    answer: "deny signature.none",
  },
  "the record is deleted, which the PDS says without a proof": {
    change: async (w) => w.pds.override(MANIFEST_COLLECTION, gone),
    answer: "inconclusive pds.bad_response",
  },
  "the record is of another repository": {
    change: (w, alice) =>
      alice.repo.put(MANIFEST_COLLECTION, digestHex(DIGEST), recordOf(DIGEST, { repository: "other" }), w.now),
    answer: "deny record.wrong_repository",
  },
  "the record is of another digest": {
    change: (w, alice) =>
      alice.repo.put(MANIFEST_COLLECTION, digestHex(DIGEST), recordOf(DIGEST, { digest: NEXT }), w.now),
    answer: "deny record.digest_mismatch",
  },
  "the repo is taken down": {
    change: async (w, alice) => w.pds.setStatus(alice.did, "RepoTakendown"),
    answer: "inconclusive pds.repo_unavailable",
  },
  "the key is another": { change: rotate, answer: "allow" },
  "the key of a did:web is another": { method: "web", change: rotate, answer: "allow" },
  "the account is closed": {
    change: (w, alice) => alice.log.tombstone({ at: w.now }),
    answer: "deny identity.deactivated",
  },
  "the document of a did:web is gone": {
    method: "web",
    change: async (w) => w.pds.override("did.json", { status: 404 }),
    answer: "inconclusive identity.unknown_did",
  },
  "the tag is deleted": {
    change: (w, alice) => alice.repo.delete(TAG_COLLECTION, TAG_KEY, w.now),
    answer: "deny tag.absent",
  },
  "the tag is deleted, which the PDS says without a proof": {
    change: async (w) => w.pds.override(TAG_COLLECTION, gone),
    answer: "inconclusive pds.bad_response",
  },
  "the tag means another image": {
    change: async (w, alice) => {
      await alice.repo.put(MANIFEST_COLLECTION, digestHex(NEXT), recordOf(NEXT), w.now);
      const manifest = `at://${alice.did}/${MANIFEST_COLLECTION}/${digestHex(NEXT)}`;
      await alice.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(alice.did, { manifest }), w.now);
    },
    other: pulled(NEXT),
    answer: "allow",
  },
  "the handle is nobody's": {
    change: async (w) => {
      w.http.places.set(`https://${HANDLE}`, w.pds);
      w.pds.override("atproto-did", { status: 404 });
      w.txt.clear();
    },
    answer: "deny image.owner_mismatch",
  },
  "the handle is another's": {
    change: async (w) => w.txt.set(`_atproto.${HANDLE}`, ["did=did:web:eve.example"]),
    answer: "deny image.owner_mismatch",
  },
};

async function rotate(world: World, alice: TestSigner): Promise<void> {
  const key = signingKey("k256", "next");
  await alice.repo.resign(world.now, key);
  if (alice.did.startsWith("did:plc:")) await alice.log.update({ signingKey: key }, { at: world.now });
  else serve(world, alice, key);
}

/** Serves the document of a did:web. */
function serve(world: World, { did, pds }: TestSigner, key: ReturnType<typeof signingKey>): void {
  world.pds.serveDocument(didDocument({ did, handles: [HANDLE], key, pds }), "alice.example");
}

function silence({ http, txt }: World, alice: TestSigner): void {
  for (const place of [alice.pds, "https://plc.example", "https://alice.example", `https://${HANDLE}`])
    http.places.set(place, "unreachable");
  txt.set(`_atproto.${HANDLE}`, new HttpFailure("unreachable", "no name server"));
}

async function begin(method: "plc" | "web") {
  const alice = await signer({ name: "alice", method, state: { handle: HANDLE }, tag: {}, others: 2 });
  const world = await World.start(alice);
  if (method === "web") serve(world, alice, alice.key);
  world.txt.set(`_atproto.${HANDLE}`, [`did=${alice.did}`]);
  return { alice, world, node: new Node(world) };
}

/** @param isRotated whether evidence by the next key, which the other pull may have cached, may count */
async function expectOver(node: Node, alice: TestSigner, isRotated: boolean): Promise<void> {
  const { world } = node;
  if (!isRotated) expect(await node.isCached(alice.did)).toBe(false);
  silence(world, alice);
  tick(world);
  const { verdict } = await decide(pulled(), JUDGED(alice.did), node.process());
  if (isRotated && verdict.outcome === "allow")
    expect(verdict).toMatchObject({ because: { signatures: [{ key: signingKey("k256", "next").did() }] } });
  else expect(verdict).toMatchObject({ outcome: "inconclusive", code: expect.stringMatching(/\.unreachable$/) });
}

const tick = (world: World): void => {
  world.now += 1000;
};

describe.each(Object.entries(CASES))("a pull that is slow, while %s", (_, { change, other, answer, method }) => {
  it.each(["nothing was cached", "evidence was cached"])("brings nothing back: %s", async (before) => {
    const { alice, world, node } = await begin(method ?? "plc");
    await using w = world;
    if (before === "evidence was cached") expect(await node.pull(alice.did)).toBe("allow");
    tick(w);
    const late = slow(node.process());
    const pull = node.pull(alice.did, pulled(), late.context);
    await late.asked;
    tick(w);
    await change(w, alice);
    expect(await node.pull(alice.did, other)).toBe(answer);
    tick(w);
    late.arrive();
    expect(await pull).toBe("allow");
    await expectOver(node, alice, change === rotate);
    expect(node.warnings).toEqual([]);
  });

  it("brings nothing back where it was stopped just before it wrote", async () => {
    const { alice, world, node } = await begin(method ?? "plc");
    await using w = world;
    // Its cache is another until then, so that it sees no mark.
    const own = join(node.folder, "slow");
    expect(await node.pull(alice.did, pulled(), node.process(own))).toBe("allow");
    tick(w);
    await change(w, alice);
    expect(await node.pull(alice.did, other)).toBe(answer);
    for (const folder of ["evidence", "identities", "tags", "owners"]) {
      cpSync(join(own, folder), join(node.folder, "cache", folder), { recursive: true, force: true });
    }
    await expectOver(node, alice, change === rotate);
  });
});

describe("what is asked for after an end", () => {
  it("is cached again, and used", async () => {
    const { alice, world, node } = await begin("plc");
    await using w = world;
    expect(await node.pull(alice.did)).toBe("allow");
    tick(w);
    await alice.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), w.now);
    expect(await node.pull(alice.did)).toBe("deny signature.none");
    tick(w);
    await alice.repo.put(MANIFEST_COLLECTION, digestHex(DIGEST), recordOf(DIGEST), w.now);
    expect(await node.pull(alice.did)).toBe("allow");
    expect(await node.isCached(alice.did)).toBe(true);
    silence(w, alice);
    expect(await node.pull(alice.did)).toBe("allow");
  });

  it("is used where nothing ended anything: as all of this would be without the changes", async () => {
    const { alice, world, node } = await begin("plc");
    await using w = world;
    const late = slow(node.process());
    const pull = node.pull(alice.did, pulled(), late.context);
    await late.asked;
    tick(w);
    expect(await node.pull(alice.did)).toBe("allow");
    late.arrive();
    expect(await pull).toBe("allow");
    expect(await node.isCached(alice.did)).toBe(true);
    silence(w, alice);
    expect(await node.pull(alice.did)).toBe("allow");
    expect(NOW).toBeLessThan(w.now);
  });
});

describe("evidence whose identity another directory vouched for", () => {
  it.each(["https://other.example", "https://plc.example.org", "https://plc.exampl"])(
    "is not used where only %s is configured",
    async (directory) => {
      const { alice, world, node } = await begin("plc");
      await using w = world;
      expect(await node.pull(alice.did)).toBe("allow");
      expect(await node.isCached(alice.did)).toBe(true);
      silence(w, alice);
      const own = node.process();
      const config = { ...own.config, plcDirectories: [directory], cacheTTL: DAY };
      const selection = select(JUDGED(alice.did), pulled().name, DIGEST);
      if (selection.kind !== "judge") throw new Error("no rule is selected");
      const question = questionOf(pulled(), selection.rule, CONFIG.atcrHosts, own.now());
      expect(await answerFromCache(question, { ...own, config })).toBeUndefined();
      expect(await node.pull(alice.did, pulled(), { ...own, config })).toBe("inconclusive identity.unreachable");
      expect(await node.pull(alice.did)).toBe("allow");
    },
  );
});
