import { readCar } from "../encoding/car.ts";
import type { Cid } from "../encoding/cid.ts";
import { type DagCbor, decodeDagCbor } from "../encoding/dag-cbor.ts";
import { reject } from "../rejection.ts";
import { type Commit, readCommit } from "./commit.ts";
import type { Identity } from "./identity.ts";
import { parseDidKey, verifySignature } from "./key.ts";
import { type PathNode, pathInTree } from "./mst.ts";
import type { Tid } from "./syntax.ts";

/** Former keys that are tried, newest last; a log may name hundreds, and each costs a signature check. */
const MAX_FORMER_KEYS = 32;

/** Most commits that are remembered; a process that verifies many images sees few of each signer. */
const MAX_COMMITS = 1000;

/**
 * Commits whose signature was found valid, each with the key. One commit proves every record of its repo, so a process
 * that verifies many images checks its signature once. A CID stands for the commit's bytes, the signature included.
 */
export class CheckedCommits {
  readonly #valid = new Set<string>();

  has(commit: Cid, { key }: Identity): boolean {
    return this.#valid.has(`${key.didKey} ${commit}`);
  }

  add(commit: Cid, { key }: Identity): void {
    if (this.#valid.size >= MAX_COMMITS) this.#valid.clear();
    this.#valid.add(`${key.didKey} ${commit}`);
  }
}

/** The record at one path of a signer's repo, at this revision. */
export interface ProvenRecord {
  readonly rev: Tid;
  /** The signed commit. */
  readonly commit: Cid;
  /** The path in the commit's tree, root first. */
  readonly nodes: readonly PathNode[];
  /** The record's CID; undefined where its absence is proven. */
  readonly cid: Cid | undefined;
  /** The record's value; undefined where its absence is proven. */
  readonly value: DagCbor | undefined;
}

/**
 * Verifies the proof of a record (spec 5.3 to 5.5): the CAR is well-formed, its root is a commit of this repo signed by
 * the signer's key, and the tree proves the record or its absence.
 *
 * @param bytes attacker-controlled: the CAR of com.atproto.sync.getRecord
 * @param path `collection/record key`
 * @param proven called with the revision once the commit is verified, even if the rest fails
 * @param checked commits that need no second check; this one is added
 * @throws Rejection car.*, commit.*, mst.*, record.malformed
 */
export function proveRecord(
  identity: Identity,
  bytes: Uint8Array,
  path: string,
  proven?: (rev: Tid) => void,
  checked?: CheckedCommits,
): ProvenRecord {
  const { root, blocks } = readCar(bytes);
  const block = blocks.get(root.toString()) ?? reject("car.malformed", "the CAR lacks the block of its root");
  const commit = readCommit(block);
  if (commit.did !== identity.did) {
    reject("commit.wrong_did", `the commit belongs to the repo of "${commit.did}", expected ${identity.did}`);
  }
  if (checked?.has(root, identity) !== true) checkSignature(identity, commit);
  checked?.add(root, identity);
  proven?.(commit.rev);

  const { nodes, value: cid } = pathInTree(blocks, commit.data, path);
  const found = { rev: commit.rev, commit: root, nodes, cid };
  if (cid === undefined) return { ...found, value: undefined };
  if (cid.codec !== "dag-cbor") reject("record.malformed", "the record's CID is not of a DAG-CBOR block");
  const record = blocks.get(cid.toString());
  if (record === undefined) reject("mst.incomplete_proof", `the proof lacks the record ${cid}`);
  return { ...found, value: decodeDagCbor(record, "record.malformed", "the record") };
}

function checkSignature(identity: Identity, commit: Commit): void {
  if (verifySignature(identity.key, commit.signedBytes, commit.signature)) return;
  for (const didKey of [...identity.formerKeys].slice(-MAX_FORMER_KEYS)) {
    const key = parseDidKey(didKey);
    if (key !== undefined && verifySignature(key, commit.signedBytes, commit.signature)) {
      reject(
        "commit.superseded_key",
        `the newest commit is still signed by ${didKey}, which ${identity.did} replaced by ${identity.key.didKey}; ` +
          "the signer must write to the repo once, which signs it with the new key",
      );
    }
  }
  reject("commit.bad_signature", `the commit is not signed by the key of ${identity.did}, ${identity.key.didKey}`);
}
