import { describe, expect, it } from "vitest";
import { tidAt } from "../../../../src/core/atproto/syntax.ts";
import type { Evidence, SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import type { OutsideEvidence, OutsideIdentity, Witness } from "../../../../src/core/evidence/outside.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Requirement, TrustedSigner } from "../../../../src/core/policy/policy.ts";
import { judgeOutsideSteps, type OutsideGiven } from "../../../../src/core/verify/judge-outside.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import { addressOfPath } from "../../../../src/core/verify/remembered-noes.ts";
import { NO_HISTORY, type SignerHistory } from "../../../../src/core/verify/signer-history.ts";
import {
  BORN,
  DIGEST,
  digestOf,
  NOW,
  recordOf,
  rule,
  SIGNED,
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

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 24 * 3_600_000];
const WINDOW = 30 * DAY;
const RECORD = addressOfPath(`io.atcr.manifest/${digestHex(DIGEST)}`);
const TAG_RECORD = addressOfPath(`io.atcr.tag/${TAG_KEY}`);
const OTHER = digestOf("another image");
const SEAL = (at = NOW): Witness => ({ kind: "seal", key: "did:key:a", at });
const IMPORT = (at = NOW): Witness => ({ kind: "import", at });
const NONE = (at = NOW): Witness => ({ kind: "none", at });

interface Case {
  readonly witness?: Witness;
  readonly gatheredAt?: number;
  readonly now?: number;
  readonly require?: Partial<Requirement>;
  readonly about?: Partial<TrustedSigner>;
  readonly history?: Partial<SignerHistory>;
  readonly owner?: Evidence["owner"];
  readonly on?: Parameters<typeof subject>[0];
  readonly identities?: readonly OutsideIdentity[];
  readonly given?: Partial<OutsideGiven>;
}

/** `allow`, or the code of the refusal. */
async function judged(who: TestSigner, signatures: readonly SignatureEvidence[], one: Case = {}): Promise<string> {
  const { witness = SEAL(), now = NOW, require = {}, about = {}, history = {}, owner } = one;
  const { gatheredAt = witness.at, identities = [], given = {} } = one;
  const judging = rule([trusted(who.did, about)], { offlineFor: WINDOW, ...require });
  const question = questionOf(subject(one.on), judging, ["atcr.io"], now);
  const pieces = signatures.map(
    (signature): OutsideEvidence => ({ signature, witness, gatheredAt, ...(owner && { owner }) }),
  );
  const memory = new Map([[who.did, { ...NO_HISTORY, ...history }]]);
  const steps = judgeOutsideSteps(
    { ...question, attempts: [], pointers: [], gaps: [], memory: new Map(), now },
    {
      pieces,
      identitiesOf: () => identities,
      fetchedOf: () => undefined,
      memory,
      provenTime: {},
      proofs: new Map(),
      ...given,
    },
  );
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value.outcome === "allow" ? "allow" : value.code;
  }
}

const at = (time: number) => tidAt(time);

describe("the window", () => {
  it.each<[string, Case, string]>([
    ["is needed", { require: { offlineFor: undefined as never } }, "bundle.not_accepted"],
    ["begins with the witness", {}, "allow"],
    ["ends inclusively", { now: NOW + WINDOW }, "allow"],
    ["is over then", { now: NOW + WINDOW + 1 }, "bundle.expired"],
    [
      "is over however late the bundle says that it was gathered",
      { witness: IMPORT(NOW - WINDOW - 1), gatheredAt: NOW },
      "bundle.expired",
    ],
    ["lets a clock be 5 min behind", { now: NOW - 5 * MINUTE }, "allow"],
    ["is not of the future", { now: NOW - 5 * MINUTE - 1 }, "bundle.not_accepted"],
    [
      "is not of the future by what the bundle claims",
      { witness: IMPORT(), gatheredAt: NOW + 6 * MINUTE },
      "bundle.not_accepted",
    ],
    [
      "is not open behind a proven time",
      { given: { provenTime: { newest: NOW + 6 * MINUTE } } },
      "bundle.not_accepted",
    ],
    ["is open up to 5 min behind it", { given: { provenTime: { newest: NOW + 5 * MINUTE } } }, "allow"],
    [
      "is closed where the proven time cannot be read",
      { given: { provenTime: { unusable: "why" } } },
      "bundle.not_accepted",
    ],
  ])("%s", async (_, one, expected) => {
    const who = await signer({ name: "alice" });
    expect(await judged(who, [await who.evidence()], one)).toBe(expected);
  });

  it("counts from the oldest part, whatever the witness", async () => {
    const who = await signer({ name: "alice" });
    const evidence = await who.evidence();
    const old = { ...evidence, identity: { ...evidence.identity, fetchedAt: NOW - WINDOW - 1 } };
    expect(await judged(who, [old])).toBe("bundle.expired");
  });

  it("does not let expired evidence say that the signer went back", async () => {
    const who = await signer({ name: "alice" });
    const history = { operations: new Set(["lost"]) };
    expect(await judged(who, [await who.evidence()], { history })).toBe("identity.log_rolled_back");
    expect(await judged(who, [await who.evidence()], { history, now: NOW + WINDOW + 1 })).toBe("bundle.expired");
  });
});

describe("a commit", () => {
  it.each([
    [5 * MINUTE, "allow"],
    [5 * MINUTE + 1000, "commit.from_future"],
  ])("is at most 5 min later than the gathering: %i", async (later, expected) => {
    const who = await signer({ name: "alice", at: NOW - DAY + later });
    const gatheredAt = NOW - DAY;
    expect(await judged(who, [await who.evidence()], { witness: SEAL(gatheredAt), gatheredAt })).toBe(expected);
  });

  it("may be older than the newest revision that the node has seen", async () => {
    const who = await signer({ name: "alice" });
    expect(await judged(who, [await who.evidence()], { history: { rev: at(NOW) } })).toBe("allow");
  });
});

describe("a signer's history", () => {
  it("must be readable", async () => {
    const who = await signer({ name: "alice" });
    expect(await judged(who, [await who.evidence()], { history: { unusable: "damaged" } })).toBe("bundle.not_accepted");
  });

  it.each<[string, Partial<SignerHistory>, string]>([
    ["an older no", { noes: new Map([[RECORD, { rev: at(SIGNED - DAY) }]]) }, "allow"],
    ["a no of the same revision", { noes: new Map([[RECORD, { rev: "REV" as never }]]) }, "commit.rolled_back"],
    ["a newer no", { noes: new Map([[RECORD, { rev: at(SIGNED + DAY) }]]) }, "commit.rolled_back"],
    ["a newer no about another record", { noes: new Map([[addressOfPath("x"), { rev: at(SIGNED + DAY) }]]) }, "allow"],
    ["a floor below", { floor: at(SIGNED - DAY) }, "allow"],
    ["a floor at the revision", { floor: "REV" as never }, "commit.rolled_back"],
    ["a floor above", { floor: at(SIGNED + DAY) }, "commit.rolled_back"],
  ])("refuses by %s", async (_, history, expected) => {
    const who = await signer({ name: "alice" });
    const rev = who.repo.rev as never;
    const noes = new Map([...(history.noes ?? [])].map(([key, no]) => [key, String(no.rev) === "REV" ? { rev } : no]));
    const floor =
      String(history.floor) === "REV" ? { floor: rev } : history.floor === undefined ? {} : { floor: history.floor };
    expect(await judged(who, [await who.evidence()], { history: { noes, ...floor } })).toBe(expected);
  });

  it("may only know of a moved tag: that ends older evidence of the tag, and of nothing else", async () => {
    const who = await signer({ name: "alice", tag: {} });
    const tagged = { ...(await who.evidence()), tag: await who.tag() };
    const asking = { require: { tag: "match" } as const, on: { tag: TAG } };
    const moved = (except?: typeof DIGEST) => ({
      noes: new Map([[TAG_RECORD, { rev: at(NOW - HOUR), ...(except && { except }) }]]),
    });
    expect(await judged(who, [tagged], asking)).toBe("allow");
    expect(await judged(who, [tagged], { ...asking, history: moved() })).toBe("commit.rolled_back");
    expect(await judged(who, [tagged], { ...asking, history: moved(OTHER) })).toBe("commit.rolled_back");
    expect(await judged(who, [tagged], { ...asking, history: moved(DIGEST) })).toBe("allow");
    expect(await judged(who, [tagged], { history: moved(OTHER) })).toBe("allow");
  });

  it("is not needed where one answer of the bundle takes another back", async () => {
    const who = await signer({ name: "alice" });
    const before = await who.evidence();
    await who.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), SIGNED + DAY);
    const after = await who.evidence();
    expect(await judged(who, [before])).toBe("allow");
    expect(await judged(who, [before, after])).toBe("signature.none");
    expect(await judged(who, [after, before])).toBe("signature.none");
  });
});

describe("a tag's proof from another time", () => {
  it("is not older than that of the record", async () => {
    const who = await signer({ name: "alice", tag: {} });
    const tag = await who.tag();
    await who.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(who.did, { digest: OTHER } as never), SIGNED + HOUR);
    await who.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), SIGNED + 2 * HOUR);
    const mixed = { ...(await who.evidence()), tag };
    expect(await judged(who, [mixed], { require: { tag: "match" }, on: { tag: TAG } })).toBe("commit.rolled_back");
  });
});

describe("a proof that a tag is absent", () => {
  it("is that, and not taken back by itself", async () => {
    const who = await signer({ name: "alice" });
    const absent = { ...(await who.evidence()), tag: await who.tag() };
    expect(await judged(who, [absent], { require: { tag: "match" }, on: { tag: TAG } })).toBe("tag.absent");
  });
});

describe("the newest log", () => {
  async function rotated() {
    const who = await signer({ name: "alice" });
    const before = await who.evidence();
    await who.log.update({ signingKey: signingKey("k256", "next") }, { at: BORN + DAY, signer: who.rotationKey });
    return { who, before, newer: { identity: who.identity(), witness: SEAL() } };
  }

  it("judges all evidence of its signer, from wherever it is", async () => {
    const { who, before, newer } = await rotated();
    expect(await judged(who, [before])).toBe("allow");
    expect(await judged(who, [before], { identities: [newer] })).toBe("commit.superseded_key");
    const old = { identity: before.identity, witness: SEAL() };
    expect(await judged(who, [{ ...before, identity: newer.identity }], { identities: [old] })).toBe(
      "commit.superseded_key",
    );
  });

  it("may not lack what this node knows, nor what another log has", async () => {
    const { who, before } = await rotated();
    const operations = new Set(who.log.entries().map(({ cid }) => cid));
    expect(await judged(who, [before], { history: { operations } })).toBe("identity.log_rolled_back");
    const fork = await signer({ name: "alice" });
    await fork.log.update({ handle: "fork.test" }, { at: BORN + 2 * DAY, signer: fork.rotationKey });
    const both = [
      { identity: who.identity(), witness: SEAL() },
      { identity: fork.identity(), witness: SEAL() },
    ];
    expect(await judged(who, [before], { identities: both })).toBe("identity.log_rolled_back");
  });

  it("is not an invalid one", async () => {
    const { who, before } = await rotated();
    const broken = { identity: { ...before.identity, bytes: new Uint8Array([0x5b, 0x5d]) }, witness: SEAL() };
    expect(await judged(who, [before], { identities: [broken] })).toBe("allow");
  });
});

describe("a did:web", () => {
  const web = () => signer({ name: "alice", method: "web" });

  it.each<[string, Case, string]>([
    ["sealed", { witness: SEAL() }, "allow"],
    ["imported", { witness: IMPORT() }, "allow"],
    ["neither", { witness: NONE() }, "identity.unreachable"],
  ])("counts where somebody answers for it: %s", async (_, one, expected) => {
    const who = await web();
    expect(await judged(who, [await who.evidence()], one)).toBe(expected);
  });

  it("counts where its key is pinned, and that is its key", async () => {
    const who = await web();
    const pinned = (key: string) => judged(who, [], { witness: NONE(), about: { keys: [key] } });
    const under = async (key: string) =>
      judged(who, [await who.evidence()], { witness: NONE(), about: { keys: [key] } });
    expect(await under(who.key.did())).toBe("allow");
    expect(await under("did:key:other")).toBe("identity.key_not_pinned");
    expect(await judged(who, [await who.evidence()], { witness: NONE(), about: { pds: [who.pds] } })).toBe(
      "identity.unreachable",
    );
    expect(await pinned("did:key:other")).toBe("signature.none");
  });

  it("does not return to a key that this node has seen replaced", async () => {
    const who = await web();
    const [own, next] = [who.key.did(), signingKey("k256", "next").did()];
    const seen = async (keys: [string, number][], witness = SEAL()) =>
      judged(who, [await who.evidence()], { witness, history: { keys: new Map(keys) } });
    expect(await seen([[own, NOW - 2 * DAY]])).toBe("allow");
    // A rotation that the node learns of by the bundle.
    expect(await seen([[next, NOW - DAY]])).toBe("allow");
    expect(
      await seen([
        [own, NOW - 2 * DAY],
        [next, NOW + 1],
      ]),
    ).toBe("commit.superseded_key");
    expect(
      await seen([
        [next, NOW - DAY],
        [own, NOW - HOUR],
      ]),
    ).toBe("allow");
    expect(await seen([[next, NOW]], SEAL(NOW - DAY))).toBe("commit.superseded_key");
  });
});

describe("what needs somebody who answers for it", () => {
  it("is the owner of a handle", async () => {
    const who = await signer({ name: "alice" });
    const on = { name: { host: "atcr.io", path: "alice.test/app" } };
    const owner = { handle: "alice.test", did: who.did, source: "dns", fetchedAt: NOW };
    const under = async (witness: Witness, answer: Evidence["owner"] = owner, now = NOW) =>
      judged(who, [await who.evidence()], { witness, owner: answer, on, now });
    expect(await under(SEAL())).toBe("allow");
    expect(await under(IMPORT())).toBe("allow");
    expect(await under(NONE())).toBe("handle.unreachable");
    expect(await under(SEAL(), { ...owner, fetchedAt: NOW - WINDOW - 1 })).toBe("handle.unreachable");
    expect(await under(SEAL(), { ...owner, handle: "bob.test" })).toBe("handle.unreachable");
  });

  it("is the age of a key by its log; else it counts from the first sight", async () => {
    const who = await signer({ name: "alice" });
    const require = { minKeyAge: 3 * DAY };
    const under = async (witness: Witness, keys: [string, number][] = []) =>
      judged(who, [await who.evidence()], { witness, require, history: { keys: new Map(keys) } });
    expect(await under(SEAL())).toBe("allow");
    expect(await under(IMPORT(), [[who.key.did(), NOW]])).toBe("allow");
    expect(await under(NONE())).toBe("identity.key_too_young");
    expect(await under(NONE(), [[who.key.did(), NOW - 3 * DAY]])).toBe("allow");
    const young = await signer({ name: "alice" });
    const next = signingKey("k256", "next");
    await young.log.update({ signingKey: next }, { at: NOW - 3 * DAY + 1, signer: young.rotationKey });
    await young.repo.resign(NOW - DAY, next);
    expect(await judged(young, [await young.evidence()], { require })).toBe("identity.key_too_young");
  });
});
