import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import type { SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import type { Proven } from "../../../../src/core/verify/proof-memo.ts";
import { attempt } from "../../../../src/core/verify/prove.ts";
import { CacheKey } from "../../../../src/io/store/cache-key.ts";
import { EvidenceCache } from "../../../../src/io/store/evidence-cache.ts";
import { MemoryCache } from "../../../../src/io/store/memory-cache.ts";
import { keyEnvironment } from "../../../support/cache-key.ts";
import { DIGEST, digestOf, NOW, signer, TAG, type TestSigner } from "../../../support/evidence.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const OTHER = digestOf("another image");
const ADDRESS = "io.atcr.tag/app_v1";
/** Before all that is asked for here. */
const ENDING = { now: NOW - 1 };

let alice: TestSigner;
let bob: TestSigner;
/** Alice's evidence of DIGEST, with her tag, and what it proves; and Bob's. */
let hers: SignatureEvidence;
let proven: Proven;
let his: SignatureEvidence;
let provenOfHis: Proven;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
  bob = await signer({ name: "bob" });
  hers = { ...(await alice.evidence()), tag: await alice.tag() };
  his = await bob.evidence();
  proven = prove(hers);
  provenOfHis = prove(his);
});

function prove(signature: SignatureEvidence): Proven {
  const found = attempt({ digest: DIGEST, tag: TAG, repository: "app" }, signature);
  if (!("facts" in found)) throw new Error(found.finding.detail);
  return found;
}

/** The evidence that is kept of a signature: without the tag. */
function recordOf({ signer, identity, record }: SignatureEvidence): SignatureEvidence {
  if (record === undefined) throw new Error("there is no record");
  return { signer, identity, record };
}

const at = (fetchedAt: number): SignatureEvidence => ({
  ...hers,
  identity: { ...hers.identity, fetchedAt },
  record: { ...(hers.record ?? hers.identity), fetchedAt },
});

const owner = () => ({ handle: "alice.test", did: alice.did, source: "dns:_atproto.alice.test", fetchedAt: NOW });

const root = makeTemporaryDirectory("caches");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

function onDisk(): EvidenceCache {
  const directory = join(root, String(++count), "cache");
  mkdirSync(dirname(directory), { recursive: true });
  const fail = ({ message }: { message: string }) => expect.fail(message);
  return new EvidenceCache(directory, "1.0 abc", new CacheKey(keyEnvironment(dirname(directory)), fail), fail);
}

type Cache = Pick<
  EvidenceCache,
  Exclude<keyof EvidenceCache, "clear"> & keyof MemoryCache // what both do
>;

describe.each<[string, () => Cache]>([
  ["on disk", onDisk],
  ["in memory", () => new MemoryCache()],
])("evidence that is kept %s", (_, open) => {
  it("is found by signer and digest, with what it proves and when each part was asked for", async () => {
    const cache = open();
    const older = { ...hers, identity: { ...hers.identity, fetchedAt: NOW - 1000 } };
    await cache.keep(DIGEST, older, proven);
    await cache.keep(DIGEST, his, provenOfHis);
    const found = cache.find(alice.did, DIGEST);
    expect([found?.times, found?.source]).toEqual([[NOW - 1000, NOW], hers.identity.url]);
    expect(found?.signature()).toEqual(recordOf(older));
    expect(found?.proven).toEqual(attempt({ digest: DIGEST }, recordOf(hers)));
    expect(cache.find(bob.did, DIGEST)?.signature()).toEqual(recordOf(his));
    expect(cache.find(alice.did, OTHER)).toBeUndefined();
  });

  it("is known by whose it is, of those who may be asked", async () => {
    const cache = open();
    await cache.keep(DIGEST, hers, proven);
    const crowd = Array.from({ length: 20 }, (__, i) => `did:web:stranger-${i}.example` as Did);
    expect(cache.holders(DIGEST, [...crowd, bob.did, alice.did])).toEqual([alice.did]);
    expect(cache.holders(OTHER, [...crowd, alice.did])).toEqual([]);
    expect(cache.holders(DIGEST, [alice.did])).toEqual([alice.did]);
  });

  it("is replaced by newer, and is nothing without a record", async () => {
    const cache = open();
    await cache.keep(DIGEST, hers, proven);
    const newer = { ...hers, record: { ...(hers.record ?? hers.identity), url: "https://new.example" } };
    await cache.keep(DIGEST, newer, { ...proven, facts: { ...proven.facts, pds: "https://new.example" } });
    await cache.keep(OTHER, { signer: alice.did, identity: hers.identity }, proven);
    const found = cache.find(alice.did, DIGEST);
    expect([found?.signature().record?.url, found?.proven?.facts.pds]).toEqual(Array(2).fill("https://new.example"));
    expect(cache.find(alice.did, OTHER)).toBeUndefined();
  });

  it("is forgotten of a digest, or all of a signer", async () => {
    const cache = open();
    await cache.keep(DIGEST, hers, proven);
    await cache.keep(OTHER, hers, { ...proven, facts: { ...proven.facts, digest: OTHER } });
    await cache.keep(DIGEST, his, provenOfHis);
    for (const who of [hers, his]) {
      await cache.keepIdentity(DIGEST, who.signer, who.identity);
      await cache.keepTag(DIGEST, ADDRESS, { ...who, tag: hers.identity }, proven.facts.rev);
    }
    await cache.drop(alice.did, ENDING, DIGEST);
    expect(cache.find(alice.did, DIGEST)).toBeUndefined();
    expect([cache.find(alice.did, OTHER), cache.findIdentity(alice.did)]).not.toContain(undefined);
    await cache.drop(alice.did, ENDING);
    const about = (did: Did) => [
      cache.find(did, OTHER) ?? cache.find(did, DIGEST),
      cache.findIdentity(did),
      cache.findTag(did, ADDRESS),
    ];
    expect(about(alice.did)).toEqual([undefined, undefined, undefined]);
    expect(about(bob.did)).not.toContain(undefined);
  });

  it("is neither kept nor used at or behind a mark, by the time when it was asked for", async () => {
    for (const [now, isCached] of [
      [NOW, false],
      [NOW - 1, true],
    ] as const) {
      const cache = open();
      await cache.drop(alice.did, { now }, DIGEST);
      await cache.keep(DIGEST, at(NOW), proven);
      expect(cache.find(alice.did, DIGEST) !== undefined).toBe(isCached);
    }
  });

  it("is neither kept nor used at or behind a mark, by the revision, whenever it was asked for", async () => {
    const cache = open();
    const { rev } = proven.facts;
    await cache.drop(alice.did, { now: NOW, rev }, DIGEST);
    await cache.keep(DIGEST, at(NOW + 5), proven);
    expect(cache.find(alice.did, DIGEST)).toBeUndefined();
    expect(cache.isInvalidated(proven.facts)).toBe(true);
    expect(cache.isInvalidated({ ...proven.facts, digest: OTHER })).toBe(false);
  });

  it("is over by one of the signer that says something else, or is refused, and does not come back", async () => {
    for (const isRefused of [true, false]) {
      const cache = open();
      await cache.keep(DIGEST, hers, proven);
      const { claim } = proven.facts;
      const rev = "3zzzzzzzzzz22" as typeof proven.facts.rev;
      const facts = { ...proven.facts, rev, ...(!isRefused && { claim: { ...claim, repository: "other" } }) };
      await cache.keep(DIGEST, at(NOW + 5), { ...proven, facts }, isRefused);
      expect(cache.find(alice.did, DIGEST)?.proven?.facts.rev).toBe(rev);
      // A slow verification comes with what it was told before.
      await cache.keep(DIGEST, hers, proven);
      expect(cache.find(alice.did, DIGEST)?.proven?.facts.rev).toBe(rev);
    }
  });

  it("has identities, tags and owners, each by whose it is", async () => {
    const cache = open();
    await cache.keepIdentity(DIGEST, alice.did, hers.identity);
    await cache.keepTag(DIGEST, ADDRESS, hers, proven.facts.rev);
    await cache.keepTag(DIGEST, `${ADDRESS}3`, recordOf(hers), proven.facts.rev);
    await cache.keepOwner(DIGEST, owner());
    const all = (who: TestSigner, handle: string) => [
      cache.findIdentity(who.did),
      cache.findTag(who.did, ADDRESS),
      cache.findOwner(handle),
    ];
    expect(all(alice, "alice.test")).toEqual([hers.identity, hers.tag, owner()]);
    expect(all(bob, "bob.test")).toEqual([undefined, undefined, undefined]);
    for (const other of ["2", "3"]) expect(cache.findTag(alice.did, `${ADDRESS}${other}`)).toBeUndefined();
  });

  it("knows of proven evidence that its tag has been ended meanwhile", async () => {
    const cache = open();
    expect(cache.isInvalidated(proven.facts)).toBe(false);
    await cache.dropTag(alice.did, ADDRESS, { now: NOW, rev: proven.facts.rev });
    expect(cache.isInvalidated(proven.facts)).toBe(true);
    const { tag: _, ...untagged } = proven.facts;
    expect(cache.isInvalidated(untagged)).toBe(false);
  });

  it("forgets tags and owners one by one, and no slow answer brings them back", async () => {
    const cache = open();
    const another = `${ADDRESS}2`;
    for (const address of [ADDRESS, another]) await cache.keepTag(DIGEST, address, hers, proven.facts.rev);
    for (const handle of ["alice.test", "bob.test"]) await cache.keepOwner(DIGEST, { ...owner(), handle });
    await cache.dropTag(alice.did, ADDRESS, { now: NOW });
    await cache.dropOwner("alice.test", { now: NOW });
    for (const again of [false, true]) {
      expect([cache.findTag(alice.did, ADDRESS), cache.findTag(alice.did, another)]).toEqual([undefined, hers.tag]);
      expect([cache.findOwner("alice.test"), cache.findOwner("bob.test")?.handle]).toEqual([undefined, "bob.test"]);
      if (again) continue;
      await cache.keepTag(DIGEST, ADDRESS, hers, proven.facts.rev);
      await cache.keepOwner(DIGEST, owner());
    }
    await cache.drop(alice.did, { now: NOW });
    await cache.keepIdentity(DIGEST, alice.did, hers.identity);
    expect(cache.findIdentity(alice.did)).toBeUndefined();
  });

  it("keeps what a tag means now, though a slow answer comes with what it meant", async () => {
    const cache = open();
    const newer = { ...(hers.tag ?? hers.identity), fetchedAt: NOW + 9 };
    await cache.keepTag(OTHER, ADDRESS, { ...hers, tag: newer }, "3zzzzzzzzzz22" as typeof proven.facts.rev);
    await cache.keepTag(DIGEST, ADDRESS, hers, proven.facts.rev);
    expect(cache.findTag(alice.did, ADDRESS)).toEqual(newer);
  });
});

describe("a cache in memory", () => {
  const big = (size: number, fetchedAt = NOW) => ({ url: "", bytes: new Uint8Array(size), fetchedAt });

  it("keeps no piece that is too large, of whatever kind", async () => {
    const cache = new MemoryCache();
    const half = big(600 * 1024);
    await cache.keep(DIGEST, { ...hers, identity: half, record: big(600 * 1024) }, proven);
    await cache.keepIdentity(DIGEST, alice.did, big(1024 * 1024 + 1));
    await cache.keepTag(DIGEST, ADDRESS, { ...hers, tag: big(1024 * 1024 + 1) }, proven.facts.rev);
    expect(cache.sizes.pieces).toBe(0);
    await cache.keepIdentity(DIGEST, alice.did, half);
    expect(cache.sizes.pieces).toBe(1);
  });

  it("stays below its bounds, and counts an identity once that many records share", async () => {
    const cache = new MemoryCache();
    const identity = big(300 * 1024);
    for (let i = 0; i < 500; i++) await cache.keep(digestOf(`${i}`), { ...hers, identity, record: big(1024) }, proven);
    expect(cache.sizes.pieces).toBe(500);
    expect(cache.sizes.bytes).toBeLessThan(500 * 5000 + 300 * 1024);
    for (let i = 0; i < 100; i++)
      await cache.keep(digestOf(`${i}`), { ...hers, identity, record: big(700 * 1024) }, proven);
    expect(cache.sizes.bytes).toBeLessThanOrEqual(24 * 1024 * 1024);
    expect(cache.find(alice.did, digestOf("499"))).toBeUndefined();
    expect(cache.find(alice.did, digestOf("99"))).toBeDefined();
  });

  it("keeps no more pieces than its bound, however small they are", async () => {
    const cache = new MemoryCache();
    const identity = big(1);
    for (let i = 0; i < 9000; i++) await cache.keepIdentity(DIGEST, `did:web:s${i}.example`, identity);
    expect(cache.sizes.pieces).toBeLessThanOrEqual(4096);
    expect(cache.sizes.bytes).toBeLessThanOrEqual(24 * 1024 * 1024);
    expect([cache.findIdentity("did:web:s0.example"), cache.findIdentity("did:web:s8999.example")]).toEqual([
      undefined,
      identity,
    ]);
  });
});
