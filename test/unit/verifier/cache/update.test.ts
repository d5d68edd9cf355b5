import { beforeAll, describe, expect, it } from "vitest";
import type { Tid } from "../../../../src/core/atproto/syntax.ts";
import type { Gap, OwnerAnswer, SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { ProofTarget } from "../../../../src/core/verify/prove.ts";
import type { SignerHistories } from "../../../../src/core/verify/signer-history.ts";
import { NO_HISTORY, type SignerHistory } from "../../../../src/core/verify/signer-history.ts";
import type { SharedStores } from "../../../../src/verifier/cache/stores.ts";
import { updateCache } from "../../../../src/verifier/cache/update.ts";
import type { Collector } from "../../../../src/verifier/collect/collect.ts";
import { GatheredEvidence } from "../../../../src/verifier/collect/gathered-evidence.ts";
import {
  caseOf,
  DIGEST,
  digestOf,
  gap,
  NOW,
  recordOf,
  rule,
  signer,
  subject,
  TAG,
  TAG_KEY,
  type TestSigner,
  tagRecordOf,
  trusted,
} from "../../../support/evidence.ts";
import { MANIFEST_COLLECTION, TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";

const SOUGHT: ProofTarget = { digest: DIGEST, tag: TAG, repository: "app" };
const ADDRESS = `${TAG_COLLECTION}/${TAG_KEY}`;
const OTHER = digestOf("another image");

let alice: TestSigner;
let web: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
  web = await signer({ name: "web", method: "web" });
});

interface Heard {
  readonly evidence?: readonly SignatureEvidence[];
  readonly identities?: Collector["identities"];
  readonly gaps?: readonly Gap[];
  readonly owner?: OwnerAnswer;
  readonly ownerKept?: OwnerAnswer;
  readonly memory?: SignerHistories;
  /** Where it is another than before the asking. */
  readonly memoryNow?: SignerHistories;
  readonly keeps?: boolean;
  readonly sought?: ProofTarget;
  readonly who?: readonly TestSigner[];
}

/** What is written and taken away, in its order: `keep`, `drop signer`, `remember`, … */
async function updated(identityNow: Heard): Promise<readonly string[]> {
  const { evidence = [], identities = [], gaps = [], owner, memory = new Map(), keeps = true } = identityNow;
  const { sought = SOUGHT, who = [alice, web], ownerKept } = identityNow;
  const done: string[] = [];
  const nameOf = (did: string) => who.find((one) => one.did === did)?.pds.split(".")[1] ?? did;
  const cache = {
    find: () => undefined,
    keep: async (digest, signature) => {
      expect(digest).toBe(DIGEST);
      done.push(`keep ${nameOf(signature.signer)}`);
    },
    drop: async (did, _, digest) => done.push(`drop ${nameOf(did)}${digest === undefined ? "" : " of the digest"}`),
    keepTag: async (_, address, signature) => void done.push(`keepTag ${nameOf(signature.signer)} ${address}`),
    dropTag: async (did, address) => void done.push(`dropTag ${nameOf(did)} ${address}`),
    findOwner: () => ownerKept,
    keepOwner: async (_, { handle }) => void done.push(`keepOwner ${handle}`),
    dropOwner: async (handle) => void done.push(`dropOwner ${handle}`),
  } as Partial<SharedStores["cache"]> as SharedStores["cache"];
  const found = new GatheredEvidence(sought);
  for (const signature of evidence) found.add({ kind: "signature", signature });
  const given = caseOf(rule(who.map(({ did }) => trusted(did))), {
    subject: subject({ tag: TAG }),
    target: sought,
    attempts: found.known().attempts,
    gaps,
    ...(owner && { owner }),
  });
  const collector = { memory, identities } as Partial<Collector> as Collector;
  const context: SharedStores = {
    cache,
    provenTime: () => ({}),
    recordTime: async () => {},
    outside: async () => undefined,
    loadHistory: async (did) => (identityNow.memoryNow ?? memory).get(did) ?? NO_HISTORY,
    recordObservation: async ({ signer: did, revs }) => void done.push(`remember ${nameOf(did)} ${revs.length}`),
  };
  await updateCache(given, collector, found, context, keeps);
  return done;
}

const hers = async (): Promise<SignatureEvidence> => ({ ...(await alice.evidence()), tag: await alice.tag() });

describe("settle, by facts", () => {
  it("keeps evidence and the tag's answer, then remembers what was seen", async () => {
    expect(await updated({ evidence: [await hers()] })).toEqual([
      `keepTag alice ${ADDRESS}`,
      "keep alice",
      "remember alice 2",
    ]);
    expect(await updated({ evidence: [await alice.evidence()] })).toEqual(["keep alice", "remember alice 1"]);
  });

  it("remembers alone what was seen, where nothing is kept", async () => {
    expect(await updated({ evidence: [await hers()], keeps: false })).toEqual(["remember alice 2"]);
  });

  it("has nothing to do with whom the rule does not name", async () => {
    expect(await updated({ evidence: [await hers()], who: [web] })).toEqual([]);
  });

  it("does not believe what lies behind what was known", async () => {
    const operations = new Set(["bafyreilost"]);
    const memory = new Map([[alice.did, { ...NO_HISTORY, operations }]]);
    expect(await updated({ evidence: [await hers()], memory })).toEqual([]);
    const newer = new Map([[alice.did, { ...NO_HISTORY, rev: "7zzzzzzzzzzzz" as Tid }]]);
    // Who they are is believed all the same.
    expect(await updated({ evidence: [await hers()], memory: newer })).toEqual(["remember alice 2"]);
  });

  it("ends what is kept of another key, and keeps nothing that was asked for before that was known", async () => {
    const keys = new Map([["did:key:former", NOW - 1000]]);
    const memory = new Map([[alice.did, { ...NO_HISTORY, keys }]]);
    expect(await updated({ evidence: [await alice.evidence()], memory })).toEqual(["drop alice", "remember alice 1"]);
  });

  it("ends what is cached by another key also where the repo lies behind what was known", async () => {
    const keys = new Map([["did:key:former", NOW - 1000]]);
    const memory = new Map([[alice.did, { ...NO_HISTORY, rev: "7zzzzzzzzzzzz" as Tid, keys }]]);
    expect(await updated({ evidence: [await hers()], memory })).toEqual(["drop alice", "remember alice 2"]);
  });

  it("keeps nothing that lies behind what another pull has seen in the meantime", async () => {
    const seen: readonly SignerHistory[] = [
      { ...NO_HISTORY, rev: "7zzzzzzzzzzzz" as Tid },
      { ...NO_HISTORY, operations: new Set(["bafyreilost"]) },
      { ...NO_HISTORY, unusable: "why" },
    ];
    for (const one of seen) {
      const memoryNow = new Map([[alice.did, one]]);
      expect(await updated({ evidence: [await hers()], memoryNow })).toEqual(["remember alice 2"]);
    }
    const memoryNow = new Map([[web.did, { ...NO_HISTORY, keys: new Map([["did:key:newer", NOW + 1]]) }]]);
    expect(await updated({ evidence: [await web.evidence()], memoryNow })).toEqual(["remember web 1"]);
  });
});

describe("settle, by what a tag means", () => {
  it.each<[string, (who: TestSigner) => Promise<unknown>, readonly string[], readonly string[]]>([
    ["this image", async () => {}, ["keepTag"], []],
    ["another", async (who) => mean(who, OTHER), ["keepTag"], ["dropTag"]],
    ["none", async (who) => who.repo.delete(TAG_COLLECTION, TAG_KEY, NOW), ["dropTag"], ["dropTag"]],
    [
      "none of this repo",
      async (who) => write(who, { manifest: "at://did:web:eve.example/x" }),
      ["dropTag"],
      ["dropTag"],
    ],
  ])("%s", async (_, change, kept, notKept) => {
    const who = await signer({ name: "tagger", tag: {} });
    await change(who);
    const evidence = [{ ...(await who.evidence()), tag: await who.tag() }];
    const about = (done: readonly string[]) =>
      done.filter((one) => one.includes("Tag")).map((one) => one.split(" ")[0]);
    expect(about(await updated({ evidence, who: [who] }))).toEqual(kept);
    expect(about(await updated({ evidence, who: [who], keeps: false }))).toEqual(notKept);
  });

  const write = (who: TestSigner, changes: object) =>
    who.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(who.did, { ...changes }), NOW);
  const mean = (who: TestSigner, digest: typeof DIGEST) =>
    write(who, { manifest: `at://${who.did}/${MANIFEST_COLLECTION}/${digestHex(digest)}` });

  it("that nobody can tell ends nothing", async () => {
    const broken = { ...(await hers()), tag: { ...(await alice.tag()), bytes: new Uint8Array(5) } };
    expect(await updated({ evidence: [broken] })).toEqual(["keep alice", "remember alice 1"]);
  });

  it("is known by its record alone only as far as it means none, or another", async () => {
    const who = await signer({ name: "tagger", tag: {} });
    const alone = async () => [{ signer: who.did, identity: who.identity(), tag: await who.tag() }];
    expect(await updated({ evidence: await alone(), who: [who] })).toEqual(["remember tagger 1"]);
    await mean(who, OTHER);
    expect(await updated({ evidence: await alone(), who: [who] })).toEqual([
      `dropTag tagger ${ADDRESS}`,
      "remember tagger 1",
    ]);
  });

  it("is by the repository that the record names, where the image's name does not say it", async () => {
    const { repository: _, ...sought } = SOUGHT;
    expect(await updated({ evidence: [await hers()], sought })).toContain(`keepTag alice ${ADDRESS}`);
    const { tag: __, ...untagged } = sought;
    expect(await updated({ evidence: [await hers()], sought: untagged })).toEqual(["keep alice", "remember alice 1"]);
  });
});

describe("settle, by a no", () => {
  it.each<[string, (who: TestSigner) => Promise<unknown>, string]>([
    ["a record that is gone", (who) => who.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW), "of the digest"],
    ["a record of something else", (who) => put(who, { digest: OTHER }), "of the digest"],
    ["a tombstone", (who) => who.log.tombstone({ at: NOW }), ""],
  ])("%s ends what it says no to, before it is remembered", async (_, change, what) => {
    const who = await signer({ name: "carol" });
    await change(who);
    const [dropped, remembered, ...more] = await updated({ evidence: [await who.evidence()], who: [who] });
    expect(dropped).toBe(`drop carol ${what}`.trim());
    expect([remembered?.split(" ")[0], more]).toEqual(["remember", []]);
  });

  const put = (who: TestSigner, changes: object) =>
    who.repo.put(MANIFEST_COLLECTION, digestHex(DIGEST), recordOf(DIGEST, { ...changes }), NOW);

  it.each<[string, Gap["code"], Gap["service"], boolean, boolean]>([
    ["a repo that is not served", "pds.repo_unavailable", "pds", true, true],
    ["a document that is gone", "identity.unknown_did", "identity", true, false],
    ["silence", "pds.unreachable", "pds", false, false],
    ["nonsense", "pds.bad_response", "pds", false, false],
    ["a silent directory", "identity.unreachable", "identity", false, false],
  ])("%s ends all of a signer: %s", async (_, code, service, ofWeb, ofPlc) => {
    expect(await updated({ gaps: [gap(code, web.did, service)] })).toEqual(ofWeb ? ["drop web"] : []);
    expect(await updated({ gaps: [gap(code, alice.did, service)] })).toEqual(ofPlc ? ["drop alice"] : []);
    expect(await updated({ gaps: [{ service: "registry", code, detail: "" }] })).toEqual([]);
  });
});

describe("settle, by an identity alone", () => {
  it("remembers it, and ends what is kept of another key; once for each who was not heard otherwise", async () => {
    const { readIdentity } = await import("../../../../src/core/atproto/identity.ts");
    const fetched = alice.identity();
    const identities = [{ proof: readIdentity(alice.did, fetched.bytes), fetched }];
    expect(await updated({ identities })).toEqual(["remember alice 0"]);
    expect(await updated({ identities, evidence: [await alice.evidence()] })).toEqual([
      "keep alice",
      "remember alice 1",
    ]);
    const former = { ...NO_HISTORY, keys: new Map([[signingKey("k256", "old").did(), NOW - 1]]) };
    expect(await updated({ identities, memory: new Map([[alice.did, former]]) })).toEqual([
      "drop alice",
      "remember alice 0",
    ]);
    const newer = { ...NO_HISTORY, operations: new Set(["bafyreilost"]) };
    expect(await updated({ identities, memory: new Map([[alice.did, newer]]) })).toEqual([]);
  });
});

describe("settle, by whose the handle is", () => {
  const owner = {
    handle: "alice.test",
    did: "did:web:web.example" as TestSigner["did"],
    source: "DNS",
    fetchedAt: NOW,
  };
  const { did: _, ...nobody } = owner;

  const eve = { ...owner, did: "did:web:eve.example" as TestSigner["did"] };

  it.each<[string, OwnerAnswer, Partial<Heard>, readonly string[]]>([
    ["somebody's whom the rule does not trust", eve, {}, ["dropOwner alice.test"]],
    ["somebody's", owner, {}, ["keepOwner alice.test"]],
    ["somebody else's than was kept", eve, { ownerKept: owner }, ["dropOwner alice.test"]],
    ["nobody's", nobody, { ownerKept: owner }, ["dropOwner alice.test"]],
    ["somebody's as was kept before, where nothing is kept now", owner, { ownerKept: owner, keeps: false }, []],
    ["somebody else's, where nothing is kept now", eve, { ownerKept: owner, keeps: false }, ["dropOwner alice.test"]],
    ["nobody's, where nothing is kept now", nobody, { keeps: false }, ["dropOwner alice.test"]],
  ])("%s", async (_, identityNow, more, expected) => {
    expect(await updated({ owner: identityNow, ...more })).toEqual(expected);
  });
});
