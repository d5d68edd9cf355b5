import { createHash } from "node:crypto";
import { type Block, carFile, cidOfBytes, encodeBlock, type LexObject, signForged } from "./forged-proof.ts";
import { type Cid, tid } from "./signed-repo.ts";
import type { SigningKey } from "./signing-key.ts";

/**
 * Merkle search trees node by node, right or wrong in any place, without the reference's builder:
 * that one makes no wrong ones.
 */

/** Height of a key: leading zeros of its SHA-256 in pairs of bits. Independent of the program's own. */
export function heightOf(key: string | Uint8Array): number {
  const bits = Array.from(createHash("sha256").update(key).digest(), (byte) => byte.toString(2).padStart(8, "0"));
  return Math.floor(bits.join("").indexOf("1") / 2);
}

/** The first key of this height that begins with `prefix`. */
export function keyOfHeight(height: number, prefix: string): string {
  for (let i = 0; ; i++) {
    const key = `${prefix}${i.toString(36)}`;
    if (heightOf(key) === height) return key;
  }
}

/** One entry of a node before it is encoded. */
export interface TreeEntry {
  readonly key: string;
  /** Subtree behind the key. */
  readonly right?: Cid | null;
  readonly value?: Cid;
}

/** Blocks of one tree. */
export class ForgedTree {
  readonly blocks: Block[] = [];

  /** Adds a value, or bytes that are none, as a block. */
  async add(value: unknown): Promise<Cid> {
    const block =
      value instanceof Uint8Array ? { cid: await cidOfBytes(value), bytes: value } : await encodeBlock(value);
    this.blocks.push({ cid: block.cid.bytes, bytes: block.bytes });
    return block.cid;
  }

  /** Adds a record that is this key's own. */
  async record(key: string): Promise<Cid> {
    return this.add({ about: key });
  }

  /** Adds a node: its prefixes are right, its keys are in the order given, and `edit` may spoil it. */
  async node(
    left: Cid | null,
    entries: readonly TreeEntry[],
    edit: (node: LexObject) => unknown = (node) => node,
  ): Promise<Cid> {
    const list: LexObject[] = [];
    let previous: Buffer = Buffer.alloc(0);
    for (const { key, right = null, value } of entries) {
      const bytes = Buffer.from(key);
      const prefix = sharedLength(previous, bytes);
      const rest = Uint8Array.from(bytes.subarray(prefix));
      list.push({ p: prefix, k: rest, v: value ?? (await this.record(key)), t: right });
      previous = bytes;
    }
    return this.add(edit({ l: left, e: list }));
  }

  /**
   * The tree of these keys as it has to be, all below nodes of `height`, each with its own record unless `value`
   * is given; null where there are no keys.
   */
  async build(
    keys: readonly string[],
    height: number = Math.max(0, ...keys.map(heightOf)),
    value?: Cid,
  ): Promise<Cid | null> {
    if (keys.length === 0) return null;
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const own = sorted.filter((key) => heightOf(key) >= height);
    const between = (from: number, to: number) => this.build(sorted.slice(from, to), height - 1, value);
    const starts = own.map((key) => sorted.indexOf(key));
    const left = await between(0, starts[0] ?? sorted.length);
    const entries: TreeEntry[] = [];
    for (const [i, key] of own.entries()) {
      const right = await between((starts[i] ?? 0) + 1, starts[i + 1] ?? sorted.length);
      entries.push({ key, right, ...(value === undefined ? {} : { value }) });
    }
    return this.node(left, entries);
  }

  /** A CAR of all blocks but those left out, under a commit to this root that `key` signs. */
  async proof(did: string, key: SigningKey, root: Cid, without: readonly Cid[] = []): Promise<Uint8Array> {
    const commit = await signForged({ did, version: 3, rev: tid(1), prev: null, data: root }, { key });
    const held = this.blocks.filter(({ cid }) => !without.some((one) => Buffer.compare(one.bytes, cid) === 0));
    if (without.length > 0 && held.length === this.blocks.length) throw new Error("no such block to leave out");
    return carFile([commit.cid], [commit, ...held]);
  }
}

function sharedLength(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
