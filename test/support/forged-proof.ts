import { randomBytes } from "node:crypto";
import { BlockMap, cborToLex, readCarWithRoot } from "@atproto/repo";
import type { Cid } from "./signed-repo.ts";
import type { SigningKey } from "./signing-key.ts";

/**
 * Turns a valid proof into one with a given fault but correct hashes and signature, so that only
 * the rule under test can reject it.
 */

export type Lex = Parameters<BlockMap["add"]>[0];
export type LexObject = Record<string, unknown>;

/** A block of a CAR. The CID need not belong to the bytes. */
export interface Block {
  readonly cid: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface CommitForgery {
  /** Changes the commit before it is signed; gets it without `sig`. */
  readonly edit?: (unsigned: LexObject) => LexObject;
  /** Signs the commit; none: the signature stays as it was. */
  readonly key?: SigningKey;
  /** In place of the key's `sign`: high-S, DER, a fixed value, … */
  readonly sign?: (message: Uint8Array) => Promise<Uint8Array> | Uint8Array;
  /** Changes the commit after it is signed: a missing or wrongly typed `sig`. */
  readonly finish?: (signed: LexObject) => LexObject | Uint8Array;
}

export interface Place {
  /** A node of the tree, or the record. */
  readonly kind: "node" | "record";
  /** 0 for the root node. */
  readonly depth: number;
}

/**
 * What becomes of a block: another value, encoded by the reference; bytes, taken as they are (not
 * canonical, or no CBOR at all); `drop`, which leaves the link but not the block.
 */
export type BlockEdit = (value: LexObject, place: Place) => LexObject | Uint8Array | "drop";

/** The value's canonical encoding and CID by the reference. */
export async function encodeBlock(value: unknown): Promise<{ cid: Cid; bytes: Uint8Array }> {
  const blocks = new BlockMap();
  const cid = await blocks.add(value as Lex);
  return { cid, bytes: blocks.get(cid) ?? new Uint8Array() };
}

/** DAG-CBOR CID of any bytes. */
export async function cidOfBytes(bytes: Uint8Array): Promise<Cid> {
  // The reference has no public function for it: take a CID of its own and exchange the hash.
  const { cid } = await encodeBlock({});
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
  const raw = Uint8Array.from(cid.bytes);
  raw.set(digest, raw.length - 32);
  return linkTo(raw);
}

/** A link to any 36 bytes, for blocks that need not exist. */
export function linkTo(cid: Uint8Array): Cid {
  const encoded = Uint8Array.of(0xd8, 0x2a, 0x58, cid.length + 1, 0, ...cid);
  return cborToLex(encoded) as unknown as Cid;
}

/** Blocks of a CAR in their order, and its root. */
export async function readProof(car: Uint8Array): Promise<{ root: Uint8Array; blocks: Block[] }> {
  const { root, blocks } = await readCarWithRoot(car);
  return { root: root.bytes, blocks: blocks.entries().map(({ cid, bytes }) => ({ cid: cid.bytes, bytes })) };
}

/** A CAR v1 of any roots and any blocks, in the order given. */
export async function carFile(roots: readonly Uint8Array[], blocks: Iterable<Block>): Promise<Uint8Array> {
  const header = await encodeBlock({ version: 1, roots: roots.map(linkTo) });
  return rawCar(header.bytes, blocks);
}

/** A CAR with these header bytes. */
export function rawCar(header: Uint8Array, blocks: Iterable<Block>): Uint8Array {
  const parts: Uint8Array[] = [varint(header.length), header];
  for (const { cid, bytes } of blocks) parts.push(varint(cid.length + bytes.length), cid, bytes);
  return new Uint8Array(Buffer.concat(parts));
}

/** The proof with blocks that nothing links to, which make it almost as large as this, in bytes. */
export async function padded(car: Uint8Array, size: number): Promise<Uint8Array> {
  const { root, blocks } = await readProof(car);
  // As few bytes of each are its CID and its length as a proof's bound on blocks allows.
  const count = 1000 - blocks.length;
  const each = Math.floor((size - car.length) / count) - 50;
  const padding: Block[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = randomBytes(each);
    padding.push({ cid: (await cidOfBytes(bytes)).bytes, bytes });
  }
  return carFile([root], [...blocks, ...padding]);
}

/** The proof with another commit at its root. */
export async function forgeCommit(car: Uint8Array, forgery: CommitForgery): Promise<Uint8Array> {
  const { root, blocks } = await readProof(car);
  const rest = blocks.filter(({ cid }) => !same(cid, root));
  const old = blocks.find(({ cid }) => same(cid, root));
  if (old === undefined) throw new Error("the proof has no commit");
  const commit = await signForged(cborToLex(old.bytes) as LexObject, forgery);
  return carFile([commit.cid], [commit, ...rest]);
}

/**
 * The proof with its blocks changed from the leaves up, every link above corrected, and the commit
 * signed again by `key`. The record is edited before the nodes above it.
 */
export async function forgeTree(car: Uint8Array, key: SigningKey, edit: BlockEdit): Promise<Uint8Array> {
  const { root, blocks } = await readProof(car);
  const held = new BlockMap();
  for (const { cid, bytes } of blocks) held.set(linkTo(cid), bytes);
  const written: Block[] = [];

  const rewrite = async (cid: Cid, place: Place): Promise<Cid> => {
    const bytes = held.get(cid);
    if (bytes === undefined) return cid;
    const value = cborToLex(bytes) as LexObject;
    const below = place.kind === "node" ? await rewriteNode(value, place.depth + 1) : value;
    const edited = edit(below, place);
    if (edited === "drop") return (await encodeBlock(below)).cid;
    const block =
      edited instanceof Uint8Array ? { cid: await cidOfBytes(edited), bytes: edited } : await encodeBlock(edited);
    written.push({ cid: block.cid.bytes, bytes: block.bytes });
    return block.cid;
  };

  const rewriteNode = async (node: LexObject, depth: number): Promise<LexObject> => {
    const entries: unknown[] = [];
    for (const entry of node["e"] as LexObject[]) {
      const record = await rewrite(entry["v"] as Cid, { kind: "record", depth });
      const tree = entry["t"] === null ? null : await rewrite(entry["t"] as Cid, { kind: "node", depth });
      entries.push({ ...entry, v: record, t: tree });
    }
    return {
      ...node,
      e: entries,
      l: node["l"] === null ? null : await rewrite(node["l"] as Cid, { kind: "node", depth }),
    };
  };

  const old = held.get(linkTo(root));
  if (old === undefined) throw new Error("the proof has no commit");
  const commit = cborToLex(old) as LexObject;
  const data = await rewrite(commit["data"] as Cid, { kind: "node", depth: 0 });
  const signed = await signForged({ ...commit, data }, { key });
  return carFile([signed.cid], [signed, ...written]);
}

/** A commit block of any fields. */
export async function signForged(commit: LexObject, forgery: CommitForgery): Promise<Block> {
  const { sig: old, ...unsigned } = commit;
  const edited = forgery.edit?.(unsigned) ?? unsigned;
  const sign = forgery.sign ?? forgery.key?.sign.bind(forgery.key);
  const sig = sign === undefined ? old : await sign((await encodeBlock(edited)).bytes);
  const finished = forgery.finish?.({ ...edited, sig }) ?? { ...edited, sig };
  if (finished instanceof Uint8Array) return { cid: (await cidOfBytes(finished)).bytes, bytes: finished };
  const block = await encodeBlock(finished);
  return { cid: block.cid.bytes, bytes: block.bytes };
}

/** Unsigned LEB128. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  bytes.push(left);
  return Uint8Array.from(bytes);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
