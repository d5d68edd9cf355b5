import { compareBytes, concatBytes, equalBytes, toUtf8 } from "../encoding/bytes.ts";
import { Cid } from "../encoding/cid.ts";
import { type DagCbor, decodeDagCbor, isDagCborMap } from "../encoding/dag-cbor.ts";
import { sha256 } from "../encoding/sha256.ts";
import { reject } from "../rejection.ts";

/** A node of a Merkle search tree, with full keys. */
interface Node {
  /** Subtree of the keys before the first entry. */
  readonly left: Cid | undefined;
  readonly entries: readonly Entry[];
}

interface Entry {
  readonly key: Uint8Array;
  readonly value: Cid;
  /** Subtree of the keys between this entry and the next. */
  readonly right: Cid | undefined;
}

/** Keys that a subtree may hold: strictly between these, where given. */
interface Bounds {
  readonly after: Uint8Array | undefined;
  readonly before: Uint8Array | undefined;
}

/**
 * Bytes of all nodes on the path to one key: decoding them cannot be interrupted. In a repo with a million records the
 * path has twenty nodes of a kilobyte.
 */
const MAX_PATH = 64 * 1024;
/** Longest key: collection and record key are bounded by their syntax to far less. */
const MAX_KEY_LENGTH = 1024;

/** A node on the path from the tree's root to a key. */
export interface PathNode {
  readonly cid: Cid;
  /** 0 for a leaf. */
  readonly height: number;
  /** Number of keys in the node itself. */
  readonly entries: number;
}

/** The result of a lookup: the record's CID, or undefined where the tree proves that the key is absent. */
export interface TreePath {
  /** Root first. */
  readonly nodes: readonly PathNode[];
  readonly value: Cid | undefined;
}

/**
 * Looks up a key in a Merkle search tree of which only some blocks are known (spec 5.5). Every node on the path is
 * checked against all rules of the structure, so that a forged tree can neither move the key nor hide it.
 *
 * @param blocks attacker-controlled, but each hashes to its CID
 * @param root the tree's root, from the signed commit
 * @throws Rejection mst.malformed; mst.incomplete_proof where a block of the path is missing
 */
export function pathInTree(blocks: ReadonlyMap<string, Uint8Array>, root: Cid, key: string): TreePath {
  const nodes: PathNode[] = [];
  const wanted = toUtf8(key);
  const wantedHeight = keyHeight(wanted);
  let link = root;
  let height: number | undefined;
  let bounds: Bounds = { after: undefined, before: undefined };
  let read = 0;
  // A node of height 0 has no links and the height falls by one with each step: the loop ends.
  for (;;) {
    const block = blockOf(blocks, link);
    read += block.length;
    if (read > MAX_PATH)
      reject("mst.malformed", `the tree nodes on the path to the record have more than ${MAX_PATH} bytes`);
    const node = readNode(block, link);
    height = checkNode(node, height, bounds);
    nodes.push({ cid: link, height, entries: node.entries.length });
    if (height === 0 && hasLinks(node)) reject("mst.malformed", "a leaf of the tree has a child");

    const next = node.entries.findIndex((entry) => compareBytes(entry.key, wanted) >= 0);
    const above = next === -1 ? undefined : node.entries[next];
    if (above !== undefined && equalBytes(above.key, wanted)) return { nodes, value: above.value };
    const below = next === -1 ? node.entries.at(-1) : node.entries[next - 1];
    const down = below === undefined ? node.left : below.right;
    if (down === undefined) return { nodes, value: undefined };
    // A key is only in a node of its own height. Nodes below need not be present, and are checked if they are.
    if (height <= wantedHeight && !blocks.has(down.toString())) return { nodes, value: undefined };

    height -= 1;
    bounds = { after: below?.key ?? bounds.after, before: above?.key ?? bounds.before };
    link = down;
  }
}

/**
 * Height of a key in the tree: the number of leading zeros of its SHA-256, counted in pairs of bits.
 */
export function keyHeight(key: Uint8Array): number {
  let pairs = 0;
  for (const byte of sha256(key)) {
    if (byte !== 0) return pairs + ((Math.clz32(byte) - 24) >> 1);
    pairs += 4;
  }
  return pairs;
}

function blockOf(blocks: ReadonlyMap<string, Uint8Array>, link: Cid): Uint8Array {
  if (link.codec !== "dag-cbor") reject("mst.malformed", "a link of the tree is not the CID of a DAG-CBOR block");
  return blocks.get(link.toString()) ?? reject("mst.incomplete_proof", `the proof lacks the tree node ${link}`);
}

function readNode(block: Uint8Array, link: Cid): Node {
  const node = decodeDagCbor(block, "mst.malformed", `the tree node ${link}`);
  if (!isDagCborMap(node) || !hasOnly(node, ["l", "e"])) reject("mst.malformed", "a tree node is not a map of l and e");
  const list = node.get("e");
  if (!Array.isArray(list)) reject("mst.malformed", "the entries of a tree node are not a list");

  const entries: Entry[] = [];
  let previous: Uint8Array = new Uint8Array();
  for (const item of list as readonly DagCbor[]) {
    const entry = readEntry(item, previous);
    entries.push(entry);
    previous = entry.key;
  }
  return { left: optionalLink(node.get("l")), entries };
}

/** @param previous the key before this one in the node; empty for the first */
function readEntry(entry: DagCbor, previous: Uint8Array): Entry {
  if (!isDagCborMap(entry) || !hasOnly(entry, ["p", "k", "v", "t"])) {
    reject("mst.malformed", "an entry of a tree node is not a map of p, k, v and t");
  }
  const [prefix, rest, value] = [entry.get("p"), entry.get("k"), entry.get("v")];
  if (typeof prefix !== "number" || !(rest instanceof Uint8Array)) {
    reject("mst.malformed", "the key of a tree entry is not a shared prefix and bytes");
  }
  if (!(value instanceof Cid)) reject("mst.malformed", "the value of a tree entry is not a CID");
  if (prefix + rest.length > MAX_KEY_LENGTH) reject("mst.malformed", `a key is longer than ${MAX_KEY_LENGTH} bytes`);
  const key = concatBytes(previous.subarray(0, prefix), rest);
  // The prefix must be the longest common one, so that a tree has only one encoding. (0 for the first entry. This also
  // excludes prefixes below 0 or longer than the previous key.)
  if (commonPrefix(key, previous) !== prefix)
    reject("mst.malformed", "a key's prefix is not the longest one shared with the previous key");
  return { key, value, right: optionalLink(entry.get("t")) };
}

/**
 * Checks one node, also against the link to it.
 *
 * @param expected the height that the link requires; undefined for the root
 * @returns the node's height
 */
function checkNode(node: Node, expected: number | undefined, bounds: Bounds): number {
  const [first] = node.entries;
  if (first === undefined) {
    // Only the root of an empty repo, or an inner node with a child, has no entries. The root's height is then 0, where
    // no node has a child.
    if (expected !== undefined && node.left === undefined)
      reject("mst.malformed", "a tree node below the root is empty");
    return expected ?? 0;
  }
  const height = expected ?? keyHeight(first.key);
  let { after } = bounds;
  for (const { key } of node.entries) {
    if (keyHeight(key) !== height) reject("mst.malformed", "a key is in a node of the wrong height");
    if (after !== undefined && compareBytes(key, after) <= 0)
      reject("mst.malformed", "keys are not strictly ascending");
    after = key;
  }
  if (after !== undefined && bounds.before !== undefined && compareBytes(after, bounds.before) >= 0) {
    reject("mst.malformed", "a key is outside the bounds of the link to its node");
  }
  return height;
}

function hasLinks(node: Node): boolean {
  return node.left !== undefined || node.entries.some((entry) => entry.right !== undefined);
}

function commonPrefix(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

function optionalLink(link: DagCbor | undefined): Cid | undefined {
  if (link === null) return undefined;
  return link instanceof Cid ? link : reject("mst.malformed", "a link of a tree node is neither null nor a CID");
}

function hasOnly(map: ReadonlyMap<string, DagCbor>, names: readonly string[]): boolean {
  return map.size === names.length && names.every((name) => map.has(name));
}
