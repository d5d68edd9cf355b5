import { verifyProofs, verifyRecords } from "@atproto/repo";
import { describe, expect, it } from "vitest";
import type { Identity } from "../../../../src/core/atproto/identity.ts";
import { parseDidKey } from "../../../../src/core/atproto/key.ts";
import { CheckedCommits, proveRecord } from "../../../../src/core/atproto/record-proof.ts";
import { cidOf } from "../../../../src/core/encoding/cid.ts";
import { type DagCbor, encodeDagCbor } from "../../../../src/core/encoding/dag-cbor.ts";
import {
  type Block,
  type CommitForgery,
  carFile,
  forgeCommit,
  forgeTree,
  type LexObject,
  linkTo,
  readProof,
} from "../../../support/forged-proof.ts";
import { ForgedTree } from "../../../support/merkle-tree.ts";
import { codeOf } from "../../../support/rejection.ts";
import { MANIFEST_COLLECTION, manifestRecord, SignedRepo } from "../../../support/signed-repo.ts";
import { type Curve, type SigningKey, signingKey } from "../../../support/signing-key.ts";
import { without } from "../../../support/without.ts";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const AT = Date.UTC(2025, 0, 1);
const RKEY = "ab".repeat(32);
const PATH = `${MANIFEST_COLLECTION}/${RKEY}`;
const record = manifestRecord(`sha256:${RKEY}`, "app");
const VALUE = new Map(Object.entries(record) as [string, DagCbor][]);

const k256 = signingKey("k256", "record");
const p256 = signingKey("p256", "record");
const old = signingKey("k256", "former");

function identity(key: SigningKey, former: readonly string[] = []): Identity {
  const parsed = parseDidKey(key.did()) ?? expect.fail("no key");
  return { did: DID, key: parsed, formerKeys: new Set(former), pds: "https://pds.example", handles: [], services: [] };
}

async function repoOf(key: SigningKey, others = 60): Promise<SignedRepo> {
  const repo = await SignedRepo.create({ did: DID, key, at: AT });
  await repo.fill(others, AT + 1);
  await repo.put(MANIFEST_COLLECTION, RKEY, record, AT + 2);
  return repo;
}

const repo = await repoOf(k256);
const proof = await repo.proof(MANIFEST_COLLECTION, RKEY);
const prove = (car: Uint8Array, path = PATH) => proveRecord(identity(k256), car, path);
const codeFor = (car: Uint8Array, signer = identity(k256)) => codeOf(() => proveRecord(signer, car, PATH));
const withCommit = async (forgery: CommitForgery) => codeFor(await forgeCommit(proof, { key: k256, ...forgery }));

describe("a record", () => {
  it.each<Curve>(["k256", "p256"])("is proven under a %s key", async (curve) => {
    const key = signingKey(curve, "any");
    const own = await repoOf(key);
    const car = await own.proof(MANIFEST_COLLECTION, RKEY);
    const { commit, cid, nodes, ...found } = proveRecord(identity(key), car, PATH);
    expect(found).toEqual({ rev: own.rev, value: VALUE });
    expect(String(commit)).toBe(own.head);
    expect(String(cid)).toBe(String(cidOf("dag-cbor", encodeDagCbor(VALUE))));
    // From the root down, one level at a time.
    expect(nodes.length).toBeGreaterThan(1);
    expect(nodes.map(({ height }) => height)).toEqual(nodes.map((_, i) => (nodes[0]?.height ?? 0) - i));
  });

  it("is proven in a repo of its own", async () => {
    const own = await repoOf(k256, 0);
    expect(prove(await own.proof(MANIFEST_COLLECTION, RKEY)).value).toEqual(VALUE);
  });

  it("is proven absent where it was deleted, or never was", async () => {
    const own = await repoOf(k256);
    await own.delete(MANIFEST_COLLECTION, RKEY, AT + 3);
    expect(prove(await own.proof(MANIFEST_COLLECTION, RKEY))).toMatchObject({
      rev: own.rev,
      cid: undefined,
      value: undefined,
    });
    const empty = await SignedRepo.create({ did: DID, key: k256, at: AT });
    expect(prove(await empty.proof(MANIFEST_COLLECTION, RKEY)).value).toBeUndefined();
  });

  it("is asked for by collection and key", async () => {
    expect(codeOf(() => prove(proof, `${MANIFEST_COLLECTION}/${"cd".repeat(32)}`))).not.toBe("record.malformed");
    const other = await repo.proof("io.atcr.other", RKEY);
    expect(prove(other, `io.atcr.other/${RKEY}`).value).toBeUndefined();
  });

  it("is found where the reference finds it, and absent where that finds none", async () => {
    const large = await SignedRepo.create({ did: DID, key: k256, at: AT });
    await large.fill(500, AT + 1);
    for (let i = 0; i < 12; i++) {
      const rkey = cidOf("raw", Uint8Array.of(i)).toString();
      if (i % 2 === 0) await large.put(MANIFEST_COLLECTION, rkey, { ...record, i }, AT + 2 + i);
      const car = await large.proof(MANIFEST_COLLECTION, rkey);
      const { value } = proveRecord(identity(k256), car, `${MANIFEST_COLLECTION}/${rkey}`);
      const claims = await verifyRecords(car, DID, k256.did());
      expect(claims.some((claim) => claim.rkey === rkey)).toBe(value !== undefined);
      const absence = [{ collection: MANIFEST_COLLECTION, rkey, cid: null }] as Parameters<typeof verifyProofs>[1];
      const { verified } = await verifyProofs(car, absence, DID, k256.did());
      expect(verified.length).toBe(value === undefined ? 1 : 0);
    }
  });
});

describe("the CAR of a proof", () => {
  it("may repeat blocks, hold others, and order them in any way", async () => {
    const { root, blocks } = await readProof(proof);
    const other: Block = { cid: cidOf("raw", Uint8Array.of(7)).bytes, bytes: Uint8Array.of(7) };
    const before = prove(proof);
    expect(prove(await carFile([root], [...blocks].reverse()))).toEqual(before);
    expect(prove(await carFile([root], [other, ...blocks, ...blocks, other]))).toEqual(before);
  });

  it("has the block of its root", async () => {
    const { root, blocks } = await readProof(proof);
    const rest = blocks.filter(({ cid }) => Buffer.compare(cid, root) !== 0);
    expect(codeFor(await carFile([root], rest))).toBe("car.malformed");
  });

  it("has one root, and it is the commit", async () => {
    const { root, blocks } = await readProof(proof);
    expect(codeFor(await carFile([root, root], blocks))).toBe("car.malformed");
    for (const { cid } of blocks) {
      if (Buffer.compare(cid, root) !== 0) expect(codeFor(await carFile([cid], blocks))).toBe("commit.malformed");
    }
  });

  it("has blocks that hash to their CIDs", async () => {
    const { root, blocks } = await readProof(proof);
    for (const [i, block] of blocks.entries()) {
      const bytes = Uint8Array.from(block.bytes);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      expect(codeFor(await carFile([root], blocks.with(i, { ...block, bytes })))).toBe("car.hash_mismatch");
    }
  });

  it("is whole", () => {
    for (let end = 0; end < proof.length; end += 7) expect(codeFor(proof.subarray(0, end))).not.toBe("none");
  });

  it("needs each of its blocks", async () => {
    const { root, blocks } = await readProof(proof);
    for (const block of blocks) {
      const expected = Buffer.compare(block.cid, root) === 0 ? "car.malformed" : "mst.incomplete_proof";
      expect(
        codeFor(
          await carFile(
            [root],
            blocks.filter((one) => one !== block),
          ),
        ),
      ).toBe(expected);
    }
  });
});

describe("the commit of a proof", () => {
  it("is of version 3", async () => {
    for (const version of [2, 4, "3", null]) {
      expect(await withCommit({ edit: (commit) => ({ ...commit, version }) })).toBe("commit.malformed");
    }
  });

  it("is the signer's own", async () => {
    for (const did of ["did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:web:alice.example", `${DID} `, ""]) {
      expect(await withCommit({ edit: (commit) => ({ ...commit, did }) })).toBe("commit.wrong_did");
    }
  });

  it("may have a prev and fields that are not known", async () => {
    expect(await withCommit({ edit: (commit) => ({ ...commit, prev: commit["data"], more: 1 }) })).toBe("none");
  });

  it("is signed by the signer's key", async () => {
    expect(await withCommit({ key: p256 })).toBe("commit.bad_signature");
    expect(await withCommit({ key: old })).toBe("commit.bad_signature");
    expect(codeFor(proof, identity(p256))).toBe("commit.bad_signature");
  });

  it("is signed as a whole", async () => {
    const { root, blocks } = await readProof(proof);
    const unsigned = async (edit: (commit: LexObject) => LexObject) =>
      codeFor(await forgeCommit(await carFile([root], blocks), { finish: edit }));
    expect(await unsigned((commit) => commit)).toBe("none");
    expect(await unsigned((commit) => ({ ...commit, rev: "jzzzzzzzzzzzz" }))).toBe("commit.bad_signature");
    expect(await unsigned((commit) => ({ ...commit, more: 1 }))).toBe("commit.bad_signature");
    expect(await unsigned((commit) => ({ ...commit, prev: commit["data"] }))).toBe("commit.bad_signature");
    expect(await unsigned((commit) => without(commit, "prev"))).toBe("commit.bad_signature");
    const tree = new ForgedTree();
    const data = await tree.node(null, []);
    expect(await unsigned((commit) => ({ ...commit, data }))).toBe("commit.bad_signature");
  });

  it.each<Curve>(["k256", "p256"])("has a signature of 64 bytes with low S (%s)", async (curve) => {
    const key = signingKey(curve, "forms");
    const car = await (await repoOf(key, 0)).proof(MANIFEST_COLLECTION, RKEY);
    const signedBy = async (sign: NonNullable<CommitForgery["sign"]>) =>
      codeFor(await forgeCommit(car, { sign }), identity(key));
    expect(await signedBy((message) => key.sign(message))).toBe("none");
    expect(await signedBy((message) => key.signHighS(message))).toBe("commit.bad_signature");
    expect(await signedBy((message) => key.signDer(message))).toBe("commit.bad_signature");
    expect(await signedBy(async (message) => (await key.sign(message)).subarray(0, 63))).toBe("commit.bad_signature");
    expect(await signedBy(async (message) => Uint8Array.of(...(await key.sign(message)), 0))).toBe(
      "commit.bad_signature",
    );
    expect(await signedBy(() => new Uint8Array(64))).toBe("commit.bad_signature");
    expect(await signedBy(() => new Uint8Array())).toBe("commit.bad_signature");
  });

  it("is held against the 32 newest former keys", async () => {
    const car = await forgeCommit(proof, { key: old });
    const others = (count: number) => Array.from({ length: count }, (_, i) => `did:key:z${i}`);
    expect(codeFor(car, identity(k256, [old.did(), ...others(31)]))).toBe("commit.superseded_key");
    expect(codeFor(car, identity(k256, [old.did(), ...others(32)]))).toBe("commit.bad_signature");
  });

  it("is superseded where a former key signed it, and refused", async () => {
    const car = await forgeCommit(proof, { key: old });
    expect(codeFor(car, identity(k256, [p256.did(), old.did()]))).toBe("commit.superseded_key");
    expect(codeFor(car, identity(k256, [p256.did()]))).toBe("commit.bad_signature");
    expect(codeFor(car, identity(k256, ["did:key:z6Mk", "", old.did()]))).toBe("commit.superseded_key");
    expect(codeFor(car, identity(k256, ["did:key:z6Mk", ""]))).toBe("commit.bad_signature");
    const highS = await forgeCommit(proof, { sign: (message) => old.signHighS(message) });
    expect(codeFor(highS, identity(k256, [old.did()]))).toBe("commit.bad_signature");
    expect(codeFor(proof, identity(k256, [old.did()]))).toBe("none");
  });
});

describe("the record block of a proof", () => {
  it("may be of any fields: they are judged later", async () => {
    const car = await forgeTree(proof, k256, (value, { kind }) => (kind === "record" ? { other: 1 } : value));
    expect(prove(car).value).toEqual(new Map([["other", 1]]));
  });

  it("is canonical DAG-CBOR", async () => {
    const forged = async (bytes: Uint8Array) =>
      codeFor(await forgeTree(proof, k256, (value, { kind }) => (kind === "record" ? bytes : value)));
    expect(await forged(encodeDagCbor(VALUE))).toBe("none");
    expect(await forged(Uint8Array.of(...encodeDagCbor(VALUE), 0))).toBe("record.malformed");
    expect(await forged(Uint8Array.of(0xff))).toBe("record.malformed");
    expect(await forged(new Uint8Array())).toBe("record.malformed");
  });

  it("is no raw block", async () => {
    const tree = new ForgedTree();
    const bytes = encodeDagCbor(VALUE);
    const raw = cidOf("raw", bytes);
    tree.blocks.push({ cid: raw.bytes, bytes });
    const root = await tree.node(null, [{ key: PATH, value: linkTo(raw.bytes) }]);
    expect(codeFor(await tree.proof(DID, k256, root))).toBe("record.malformed");
  });

  it("that is missing is a hole, not an absence", async () => {
    const car = await forgeTree(proof, k256, (value, { kind }) => (kind === "record" ? "drop" : value));
    expect(codeFor(car)).toBe("mst.incomplete_proof");
  });
});

describe("a commit that was checked before", () => {
  it("needs no second check of its signature, by the same key", async () => {
    const unsigned = await forgeCommit(proof, { key: old });
    const checked = new CheckedCommits();
    const again = (signer: SigningKey) =>
      codeOf(() => proveRecord(identity(signer), unsigned, PATH, undefined, checked));
    expect(again(k256)).toBe("commit.bad_signature");
    // What failed is not remembered.
    expect(again(k256)).toBe("commit.bad_signature");
    expect(again(old)).toBe("none");
    expect(again(old)).toBe("none");
    expect(again(k256)).toBe("commit.bad_signature");
  });

  it("is recognised by its bytes, the signature included", async () => {
    const checked = new CheckedCommits();
    expect(codeOf(() => proveRecord(identity(k256), proof, PATH, undefined, checked))).toBe("none");
    const other = await forgeCommit(proof, { key: old });
    expect(codeOf(() => proveRecord(identity(k256), other, PATH, undefined, checked))).toBe("commit.bad_signature");
  });

  it("saves the check alone: the tree is still read", async () => {
    const checked = new CheckedCommits();
    proveRecord(identity(k256), proof, PATH, undefined, checked);
    const elsewhere = `${MANIFEST_COLLECTION}/${"cd".repeat(32)}`;
    const found = codeOf(() => proveRecord(identity(k256), proof, elsewhere, undefined, checked));
    expect(["none", "mst.incomplete_proof"]).toContain(found);
  });
});
