import { beforeAll, describe, expect, it } from "vitest";
import { recordPath } from "../../../../src/core/evidence/record-path.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { addressOfPath } from "../../../../src/core/verify/remembered-noes.ts";
import { NO_HISTORY, type SignerHistory } from "../../../../src/core/verify/signer-history.ts";
import { answer, BOTH, decide, policy } from "../../../support/deciding.ts";
import {
  digestOf,
  NOW,
  recordOf,
  signer,
  subject,
  TAG,
  TAG_KEY,
  type TestSigner,
  tagRecordOf,
  trusted,
} from "../../../support/evidence.ts";
import { forgeTree } from "../../../support/forged-proof.ts";
import { MANIFEST_COLLECTION, type SignedRepo, TAG_COLLECTION } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

const RECORD = "getRecord";
const OTHER = digestOf("another image");
const recordOfImage = (repo: SignedRepo) => repo.proof(MANIFEST_COLLECTION, digestHex(subject().digest));

/** Three states of one repo: with the record, the same tree at a later rev, and without the record at the first's rev. */
let old: TestSigner;
let young: TestSigner;
let empty: TestSigner;
beforeAll(async () => {
  [old, young, empty] = [
    await signer({ name: "alice" }),
    await signer({ name: "alice" }),
    await signer({ name: "alice", record: null }),
  ];
  await young.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 1000);
});

/** A world in which this node has seen the signer's newer state. */
async function seen(...signers: readonly TestSigner[]): Promise<World> {
  const world = await World.start(young, ...signers);
  expect(await answer(world, policy([young.did]))).toBe("allow");
  expect((await world.disk.loadHistory(young.did)).rev).toBe(young.repo.rev);
  world.pds.forget();
  world.plc.forget();
  return world;
}

describe.concurrent("decide, a repo that goes back", () => {
  it("is refused by a node that has seen it newer, and by no other", async () => {
    await using fresh = await World.start(old);
    expect(await answer(fresh, policy([old.did]))).toBe("allow");
    await using world = await seen();
    world.pds.add(old.repo);
    expect(await answer(world, policy([old.did]))).toBe("deny commit.rolled_back");
    expect(await answer(world, policy([old.did], {}, { action: "audit" }))).toBe("allow");
  });

  it("is asked once more, the PDS alone", async () => {
    await using world = await seen();
    world.pds.add(old.repo);
    expect(await answer(world, policy([old.did]), { config: BOTH })).toBe("deny commit.rolled_back");
    expect([world.pds.count(RECORD), world.plc.count(), world.plc2.count()]).toEqual([2, 1, 0]);
  });

  it("is allowed where the second answer is newer", async () => {
    await using world = await seen();
    world.pds.override(RECORD, { body: await recordOfImage(old.repo) }, "usual");
    expect(await answer(world, policy([old.did]))).toBe("allow");
    expect(world.pds.count(RECORD)).toBe(2);
  });

  it("is allowed, and not asked again, at the rev that was seen", async () => {
    await using world = await seen();
    expect(await answer(world, policy([young.did]))).toBe("allow");
    expect(world.pds.count(RECORD)).toBe(1);
  });

  it("is what a proof of absence does too, if older", async () => {
    await using world = await seen();
    world.pds.add(empty.repo);
    expect(await answer(world, policy([old.did]))).toBe("deny commit.rolled_back");
    expect(world.pds.count(RECORD)).toBe(2);
    const later = await signer({ name: "alice", record: null });
    await later.repo.resign(NOW);
    world.pds.add(later.repo);
    expect(await answer(world, policy([old.did]))).toBe("deny signature.none");
  });

  it("leaves it open where the second answer cannot be had", async () => {
    await using world = await seen();
    world.pds.override(RECORD, { body: await recordOfImage(old.repo) }, { status: 503 });
    expect(await answer(world, policy([old.did]))).toBe("inconclusive pds.unreachable");
  });

  it("does not keep another signer from counting", async () => {
    const bob = await signer({ name: "bob" });
    await using world = await seen(bob);
    world.pds.add(old.repo);
    expect(await answer(world, policy([old.did, bob.did]))).toBe("allow");
    expect(await answer(world, policy([old.did, bob.did], { minSignatures: 2 }))).toBe(
      "deny policy.too_few_signatures",
    );
  });

  it("may be asked again after another identity as well, each once", async () => {
    const thief = await signer({ name: "alice" });
    await thief.repo.resign(NOW - 500, signingKey("k256", "thief"));
    await using world = await seen();
    const forged = { body: await recordOfImage(thief.repo) };
    const older = { body: await recordOfImage(old.repo) };
    world.pds.override(RECORD, older, forged, older);
    expect(await answer(world, policy([old.did]), { config: BOTH })).toBe("deny commit.rolled_back");
    expect([world.pds.count(RECORD), world.plc.count(), world.plc2.count()]).toEqual([2, 1, 1]);
  });
});

describe("decide, a repo that goes back within one pull", () => {
  const tagged = (repo: SignedRepo) => repo.proof(TAG_COLLECTION, TAG_KEY);
  const matched = [{ tag: "match" }, { about: { tag: TAG } }] as const;

  it("is refused: what one answer proved, a second one must not lie behind", async () => {
    const before = await signer({ name: "alice", tag: {} });
    const after = await signer({ name: "alice", tag: {} });
    await after.repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(after.did, { manifest: "elsewhere" }), NOW - 1000);
    await using world = await World.start(before);
    // The second time the whole answer is old, and consistent with itself.
    world.pds.override(RECORD, { body: await recordOfImage(after.repo) }, { body: await tagged(before.repo) }, "usual");
    const [requirement, pull] = matched;
    expect(await answer(world, policy([before.did], requirement), pull)).toBe("deny commit.rolled_back");
    expect(world.pds.count(RECORD)).toBe(4);
    // Nothing of it is cached, and the newer rev is remembered.
    expect([world.disk.count("evidence"), (await world.disk.loadHistory(after.did)).rev]).toEqual([0, after.repo.rev]);
    expect(await answer(world, policy([before.did], requirement), pull)).toBe("deny commit.rolled_back");
  });
});

describe("decide, pulls at the same time", () => {
  it.each([
    ["of the same image", subject()],
    ["of another image of the signer", subject({ digest: OTHER })],
  ])("do not accuse each other: one %s in between", async (_, other) => {
    await using world = await World.start(young);
    const older = { body: await recordOfImage(old.repo) };
    let between: string | undefined;
    // While the first pull waits for an older state, another pull sees the newer one.
    const first = world.pds.override(RECORD, async () => {
      first();
      const { verdict } = await decide(other, policy([young.did]), world.context());
      between = verdict.outcome;
      return older;
    });
    expect(await answer(world, policy([young.did]))).toBe("allow");
    expect(between).toBe("allow");
    expect([(await world.disk.loadHistory(young.did)).rev, world.pds.count(RECORD)]).toEqual([young.repo.rev, 2]);
  });

  it("are all allowed, whichever state each sees", async () => {
    await using world = await World.start(young);
    const older = { body: await recordOfImage(old.repo) };
    world.pds.override(RECORD, "usual", older, "usual", older, older, "usual");
    const all = await Promise.all(Array.from({ length: 6 }, () => answer(world, policy([young.did]))));
    expect(all).toEqual(Array(6).fill("allow"));
    expect((await world.disk.loadHistory(young.did)).rev).toBe(young.repo.rev);
  });
});

describe("decide, what it remembers", () => {
  /** What is known of the signer when the node has seen exactly this. */
  const known = (who: TestSigner): SignerHistory => ({
    ...NO_HISTORY,
    rev: who.repo.rev as NonNullable<SignerHistory["rev"]>,
    operations: new Set(who.log.entries().map(({ cid }) => cid)),
    keys: new Map([[who.key.did(), NOW]]),
  });

  it("is rev, operations and key of a pull that is allowed", async () => {
    await using world = await World.start(young);
    expect(await answer(world, policy([young.did]))).toBe("allow");
    expect(await world.disk.loadHistory(young.did)).toEqual(known(young));
  });

  it.each<[string, Partial<Requirement>, () => Promise<Uint8Array>]>([
    ["signature.none", {}, () => recordOfImage(empty.repo)],
    ["record.wrong_repository", { repository: ["other"] }, () => recordOfImage(old.repo)],
    ["identity.key_too_young", { minKeyAge: 1 }, () => recordOfImage(old.repo)],
    [
      "mst.incomplete_proof",
      {},
      async () =>
        forgeTree(await recordOfImage(old.repo), old.key, (value, { kind }) => (kind === "record" ? "drop" : value)),
    ],
  ])("is the same of one that is refused: %s", async (code, requirement, body) => {
    await using world = await World.start(old);
    world.pds.override(RECORD, { body: await body() });
    expect(await answer(world, policy([old.did], requirement))).toContain(code);
    const memory = await world.disk.loadHistory(old.did);
    expect({ ...memory, rev: undefined, noes: undefined }).toEqual({ ...known(old), rev: undefined, noes: undefined });
    const isNo = code === "signature.none" || code === "mst.incomplete_proof";
    const address = addressOfPath(recordPath(subject().digest));
    expect([...memory.noes]).toEqual(isNo ? [[address, { rev: memory.rev }]] : []);
    expect(memory?.rev).toBe(code === "signature.none" ? empty.repo.rev : old.repo.rev);
  });

  it("is not the rev of a commit that is not proven", async () => {
    const forged = await signer({ name: "alice" });
    await forged.repo.resign(NOW, signingKey("k256", "thief"));
    await using world = await World.start(forged);
    expect(await answer(world, policy([forged.did]))).toBe("deny commit.bad_signature");
    expect(await world.disk.loadHistory(forged.did)).toEqual({
      ...NO_HISTORY,
      operations: known(old).operations,
      keys: known(old).keys,
    });
  });

  it("is nothing of a log that does not prove itself", async () => {
    await using world = await World.start(old);
    world.plc.override("", { json: old.log.entries().map((entry) => ({ ...entry, operation: {} })) });
    expect(await answer(world, policy([old.did]))).toBe("inconclusive identity.log_invalid");
    expect(await world.disk.loadHistory(old.did)).toEqual(NO_HISTORY);
  });

  it("is who the signer is, where their PDS does not answer", async () => {
    await using world = await World.start(old);
    world.pds.override("", { status: 503 });
    expect(await answer(world, policy([old.did]))).toBe("inconclusive pds.unreachable");
    expect(await world.disk.loadHistory(old.did)).toEqual({ ...known(old), rev: undefined });
  });

  it("is the identity of a signer whose repo has gone back, and the newer rev", async () => {
    await using world = await seen();
    const moved = await signer({ name: "alice" });
    await moved.log.update({ pds: "https://pds.alice.example", handle: "new.test" }, { at: NOW - 1000 });
    world.add(moved);
    expect(await answer(world, policy([old.did]))).toBe("deny commit.rolled_back");
    expect(await world.disk.loadHistory(old.did)).toEqual({ ...known(moved), rev: young.repo.rev });
  });

  it("grows only, and keeps when a key was seen first", async () => {
    await using world = await World.start(old);
    await answer(world, policy([old.did]));
    world.now += 1000;
    world.add(young);
    await answer(world, policy([old.did]));
    expect(await world.disk.loadHistory(old.did)).toEqual(known(young));
  });
});

describe("decide, the policy's minRev", () => {
  it.each([
    ["the repo's own", () => old.repo.rev, "allow"],
    ["an older one", () => empty.repo.rev, "allow"],
    ["a newer one", () => young.repo.rev, "deny commit.older_than_pinned"],
  ])("%s, on a node that knows nothing", async (_, minRev, expected) => {
    await using world = await World.start(old);
    const pinned = trusted(old.did, { minRev: minRev() as NonNullable<SignerHistory["rev"]> });
    expect(await answer(world, policy([pinned]))).toBe(expected);
    expect(world.pds.count(RECORD)).toBe(1);
  });

  it("holds for a proof of absence too", async () => {
    await using world = await World.start(empty);
    const minRev = young.repo.rev as NonNullable<SignerHistory["rev"]>;
    expect(await answer(world, policy([trusted(empty.did, { minRev })]))).toBe("deny commit.older_than_pinned");
  });
});
