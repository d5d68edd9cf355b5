import { Cid } from "../encoding/cid.ts";
import { decodeDagCbor, encodeDagCbor, isDagCborMap } from "../encoding/dag-cbor.ts";
import { reject } from "../rejection.ts";
import { isTid, type Tid } from "./syntax.ts";

/** A repo's commit: the signed root of its tree (https://atproto.com/specs/repository). */
export interface Commit {
  /** DID of the repo, as claimed; attacker-controlled until the signature is verified. */
  readonly did: string;
  readonly rev: Tid;
  /** Root of the Merkle search tree. */
  readonly data: Cid;
  readonly signature: Uint8Array;
  /** The canonical bytes without `sig`, unknown fields included: what is signed. */
  readonly signedBytes: Uint8Array;
}

const VERSION = 3;
/** A commit has 250 bytes; it is decoded before its signature is verified, so anybody can write one. */
const MAX_COMMIT = 8 * 1024;

/**
 * Reads a commit block (spec 5.3, 5.4). Unknown fields are preserved: they are signed too.
 *
 * @param bytes attacker-controlled DAG-CBOR
 * @throws Rejection commit.malformed
 */
export function readCommit(bytes: Uint8Array): Commit {
  const commit = decodeDagCbor(bytes, "commit.malformed", "the commit", MAX_COMMIT);
  if (!isDagCborMap(commit)) reject("commit.malformed", "the commit is not a map");
  const [version, did, rev] = [commit.get("version"), commit.get("did"), commit.get("rev")];
  const [data, prev, signature] = [commit.get("data"), commit.get("prev"), commit.get("sig")];

  if (version !== VERSION) reject("commit.malformed", `the commit's version is not ${VERSION}`);
  if (typeof did !== "string") reject("commit.malformed", "the commit's did is not a string");
  if (typeof rev !== "string" || !isTid(rev)) reject("commit.malformed", "the commit's rev is not a TID");
  if (!(data instanceof Cid) || data.codec !== "dag-cbor") {
    reject("commit.malformed", "the commit's data is not the CID of a DAG-CBOR block");
  }
  if (prev !== null && prev !== undefined && !(prev instanceof Cid)) {
    reject("commit.malformed", "the commit's prev is neither null nor a CID");
  }
  if (!(signature instanceof Uint8Array)) reject("commit.malformed", "the commit's sig is not bytes");

  const unsigned = new Map([...commit].filter(([name]) => name !== "sig"));
  return { did, rev, data, signature, signedBytes: encodeDagCbor(unsigned) };
}
