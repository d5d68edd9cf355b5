import { MemoryBlockstore, MST } from "@atproto/repo";
import { describe, expect, it } from "vitest";
import { parseDidKey } from "../../../../src/core/atproto/key.ts";
import { keyHeight, pathInTree } from "../../../../src/core/atproto/mst.ts";
import { proveRecord } from "../../../../src/core/atproto/record-proof.ts";
import { equalBytes, toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { Cid, cidOf } from "../../../../src/core/encoding/cid.ts";
import { encodeBlock, type LexObject, linkTo } from "../../../support/forged-proof.ts";
import { ForgedTree, heightOf, keyOfHeight, type TreeEntry } from "../../../support/merkle-tree.ts";
import { codeOf } from "../../../support/rejection.ts";
import type { Cid as RefCid } from "../../../support/signed-repo.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { without } from "../../../support/without.ts";

const MALFORMED = "mst.malformed";
const INCOMPLETE = "mst.incomplete_proof";
const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const key = signingKey("k256", "tree");

/** Keys in order; the digit is the height. */
const A0 = keyOfHeight(0, "c/a");
const B1 = keyOfHeight(1, "c/b");
const C0 = keyOfHeight(0, "c/c");
const D2 = keyOfHeight(2, "c/d");
const E0 = keyOfHeight(0, "c/e");
const F1 = keyOfHeight(1, "c/f");
const G0 = keyOfHeight(0, "c/g");
const PRESENT = [A0, B1, C0, D2, E0, F1, G0];
const ABSENT = ["", "c/", "c/b", "c/cz", "c/dz", "c/ez", "c/fz", "c/gz", "d", `${A0}0`, D2.slice(0, -1)];

/** The nodes of a tree of these keys by the letter of their first key; D is the root. */
type Name = "A" | "B" | "C" | "D" | "E" | "F" | "G";

interface Forgery {
  /** Other entries in a node; links stay where their key stays. */
  readonly entries?: (tree: ForgedTree) => Promise<TreeEntry[]> | TreeEntry[];
  /** Another left link of a node. */
  readonly left?: (tree: ForgedTree) => Promise<RefCid | null>;
  readonly edit?: (node: LexObject) => unknown;
}

async function forge(
  changes: Partial<Record<Name, Forgery>>,
): Promise<{ tree: ForgedTree; nodes: Record<Name, RefCid> }> {
  const tree = new ForgedTree();
  const node = async (name: Name, left: RefCid | null, own: TreeEntry[]) => {
    const { entries, left: otherLeft, edit } = changes[name] ?? {};
    const others = await entries?.(tree);
    const merged = others?.map((entry) => ({ ...own.find((one) => one.key === entry.key), ...entry }));
    return tree.node(otherLeft === undefined ? left : await otherLeft(tree), merged ?? own, edit);
  };
  const A = await node("A", null, [{ key: A0 }]);
  const C = await node("C", null, [{ key: C0 }]);
  const E = await node("E", null, [{ key: E0 }]);
  const G = await node("G", null, [{ key: G0 }]);
  const B = await node("B", A, [{ key: B1, right: C }]);
  const F = await node("F", E, [{ key: F1, right: G }]);
  const D = await node("D", B, [{ key: D2, right: F }]);
  return { tree, nodes: { A, B, C, D, E, F, G } };
}

/**
 * What the tree says of a key: `present`, `absent`, or a code. It is asked for alone and again as part of
 * a proof that the owner's key has signed.
 */
async function look(tree: ForgedTree, root: RefCid, wanted: string, without: RefCid[] = []): Promise<string> {
  const proof = await tree.proof(DID, key, root, without);
  const verificationKey = parseDidKey(key.did()) ?? expect.fail("no key");
  const identity = {
    did: DID,
    key: verificationKey,
    formerKeys: new Set<string>(),
    pds: "",
    handles: [],
    services: [],
  } as const;
  let proven = "";
  const provenCode = codeOf(() => {
    const { value } = proveRecord(identity, proof, wanted);
    if (value !== undefined) expect(value).toEqual(new Map([["about", wanted]]));
    proven = value === undefined ? "absent" : "present";
  });
  const held = tree.blocks.filter(({ cid }) => !without.some((one) => equalBytes(one.bytes, cid)));
  const blocks = new Map(held.map(({ cid, bytes }) => [new Cid(cid).toString(), bytes]));
  let found = "";
  const code = codeOf(() => {
    found = pathInTree(blocks, new Cid(root.bytes), wanted).value === undefined ? "absent" : "present";
  });
  if (provenCode === "none" || code !== "none") {
    expect(provenCode === "none" ? proven : provenCode).toBe(code === "none" ? found : code);
  }
  return provenCode === "none" ? proven : provenCode;
}

async function lookIn(changes: Partial<Record<Name, Forgery>>, wanted: string): Promise<string> {
  const { tree, nodes } = await forge(changes);
  return look(tree, nodes.D, wanted);
}

describe("the height of a key", () => {
  it("counts leading zeros of its hash in pairs of bits", () => {
    for (let i = 0; i < 2000; i++) expect(keyHeight(toUtf8(`c/${i}`))).toBe(heightOf(`c/${i}`));
    for (const height of [4, 5, 6, 7]) expect(keyHeight(toUtf8(keyOfHeight(height, "c/")))).toBe(height);
  });
});

describe("a well-formed tree", () => {
  it("tells every key that it holds from every other", async () => {
    const { tree, nodes } = await forge({});
    for (const wanted of PRESENT) expect(await look(tree, nodes.D, wanted)).toBe("present");
    for (const wanted of ABSENT) expect(await look(tree, nodes.D, wanted)).toBe("absent");
    expect(await tree.build(PRESENT)).toEqual(nodes.D);
  });

  it("without entries is the empty repository", async () => {
    const tree = new ForgedTree();
    expect(await look(tree, await tree.node(null, []), A0)).toBe("absent");
  });

  it("may have inner nodes without entries that lead to others", async () => {
    const high = keyOfHeight(3, "c/m");
    const tree = new ForgedTree();
    const root = (await tree.build([A0, high, C0])) ?? expect.fail("empty");
    for (const wanted of [A0, C0, high]) expect(await look(tree, root, wanted)).toBe("present");
    for (const wanted of [...ABSENT, G0, "c/z"]) expect(await look(tree, root, wanted)).toBe("absent");
  });

  it("gives the right answer for each of 2,000 records, as the reference does", async () => {
    const storage = new MemoryBlockstore();
    const { cid: value } = await encodeBlock({ filler: true });
    const own = await encodeBlock({ own: true });
    let reference = await MST.create(storage);
    const keys = Array.from({ length: 2000 }, (_, i) => `io.atcr.manifest/${cidOf("raw", toUtf8(`${i}`))}`);
    for (const [i, one] of keys.entries()) reference = await reference.add(one, i % 2 === 0 ? value : own.cid);
    const { root, blocks: unstored } = await reference.getUnstoredBlocks();
    const blocks = new Map(unstored.entries().map(({ cid, bytes }) => [cid.toString(), bytes]));
    const tree = new ForgedTree();

    for (const [i, one] of keys.entries()) {
      const found = pathInTree(blocks, new Cid(root.bytes), one).value;
      expect(found?.toString()).toBe((i % 2 === 0 ? value : own.cid).toString());
    }
    for (let i = 0; i < 500; i++) {
      const absent = i % 2 === 0 ? `${keys[i]}x` : `io.atcr.manifest/${cidOf("raw", toUtf8(`absent ${i}`))}`;
      expect(await reference.get(absent)).toBeNull();
      expect(pathInTree(blocks, new Cid(root.bytes), absent).value).toBeUndefined();
    }
    // The builder of the forged trees makes the same tree.
    const few = keys.slice(0, 200);
    let small = await MST.create(storage);
    for (const one of few) small = await small.add(one, await tree.record(one));
    expect((await small.getPointer()).toString()).toBe((await tree.build(few))?.toString());
  });
});

describe("a hole", () => {
  it("on the way is no absence", async () => {
    const { tree, nodes } = await forge({});
    for (const [wanted, way] of [
      [A0, [nodes.D, nodes.B, nodes.A]],
      [C0, [nodes.D, nodes.B, nodes.C]],
      [D2, [nodes.D]],
      [F1, [nodes.D, nodes.F]],
      ["c/gz", [nodes.D, nodes.F, nodes.G]],
      ["c/", [nodes.D, nodes.B, nodes.A]],
      // Of heights 1, 2 and 3: absent as soon as a node is not higher than the key and lacks it.
      [keyOfHeight(1, "c/az"), [nodes.D, nodes.B]],
      [keyOfHeight(2, "c/az"), [nodes.D]],
      [keyOfHeight(3, "c/az"), [nodes.D]],
      [keyOfHeight(1, "c/ez"), [nodes.D, nodes.F]],
    ] as const) {
      const expected = PRESENT.includes(wanted) ? "present" : "absent";
      for (const node of Object.values(nodes)) {
        const onWay = way.some((one) => equalBytes(one.bytes, node.bytes));
        expect(await look(tree, nodes.D, wanted, [node])).toBe(onWay ? INCOMPLETE : expected);
      }
    }
  });

  it("below the height of the key is no hole: what lies there is lower", async () => {
    // A root of height 1 with a leaf before it, and a key of height 2 that nothing shown could hold.
    const root = Buffer.from(
      "a2616581a4616b446b2f34386170006174f66176d82a582500017112204efe2fd9e5790d7d8880c060b7489c3cfde8892af82e8a013df4cdc1" +
        "5b05034c616cd82a58250001711220f58bf527518b2740d04dbe6f5706486151aefd0dfbcd50cb39ae4d1e9006b9b1",
      "hex",
    );
    const cid = cidOf("dag-cbor", root);
    const shown = new Map([[cid.toString(), root]]);
    expect([heightOf("k/48"), heightOf("k/39"), heightOf("k/00")]).toEqual([1, 2, 0]);
    expect(pathInTree(shown, cid, "k/39").value).toBeUndefined();
    expect(codeOf(() => pathInTree(shown, cid, "k/00").value)).toBe(INCOMPLETE);
  });

  it("in place of the record is no absence either", async () => {
    const { tree, nodes } = await forge({});
    expect(await look(tree, nodes.D, C0, [await new ForgedTree().record(C0)])).toBe(INCOMPLETE);
    expect(await look(tree, nodes.D, C0, [await new ForgedTree().record(A0)])).toBe("present");
  });
});

describe("every key of a node has the node's height", () => {
  const [X0, X1, X2] = [keyOfHeight(0, "c/ax"), keyOfHeight(1, "c/ax"), keyOfHeight(2, "c/ax")];
  it.each([
    ["a leaf with a higher key behind", "A", [A0, X1], A0],
    ["a leaf with a much higher key behind", "A", [A0, X2], A0],
    ["a leaf with a higher key before", "A", [keyOfHeight(1, "c/0"), A0], A0],
    ["a node with a lower key behind", "B", [B1, keyOfHeight(0, "c/bz")], A0],
    ["a node with a lower key before", "B", [X0, B1], B1],
    ["a node with a higher key before", "B", [X2, B1], B1],
    ["a root with a lower key behind", "D", [D2, keyOfHeight(0, "c/dz")], D2],
    ["a root with a lower key before", "D", [keyOfHeight(1, "c/cz"), D2], D2],
    ["a root with a higher key behind", "D", [D2, keyOfHeight(3, "c/dz")], D2],
  ] as const)("not %s", async (_, name, keys, wanted) => {
    expect(await lookIn({ [name]: { entries: () => keys.map((one) => ({ key: one })) } }, wanted)).toBe(MALFORMED);
  });
});

describe("every link goes down exactly one", () => {
  it("not two, to the left or to the right", async () => {
    const leaf = (one: string) => ({ left: (tree: ForgedTree) => tree.node(null, [{ key: one }]) });
    expect(await lookIn({ D: leaf(A0) }, A0)).toBe(MALFORMED);
    expect(await lookIn({ D: leaf(A0) }, "c/")).toBe(MALFORMED);
    const right = async (tree: ForgedTree) => [{ key: D2, right: await tree.node(null, [{ key: E0 }]) }];
    expect(await lookIn({ D: { entries: right } }, E0)).toBe(MALFORMED);
  });

  it("not to the same height, nor up", async () => {
    for (const height of [2, 3]) {
      const high = keyOfHeight(height, "c/a");
      const left = (tree: ForgedTree) => tree.node(null, [{ key: high }]);
      expect(await lookIn({ D: { left } }, high)).toBe(MALFORMED);
    }
    const left = (tree: ForgedTree) => tree.node(null, [{ key: keyOfHeight(1, "c/a") }]);
    expect(await lookIn({ B: { left } }, A0)).toBe(MALFORMED);
  });

  it("not from a leaf, wherever the key is", async () => {
    const left = async (tree: ForgedTree) => tree.node(null, [{ key: keyOfHeight(0, "c/0") }]);
    expect(await lookIn({ A: { left } }, A0)).toBe(MALFORMED);
    expect(await lookIn({ A: { left } }, "c/0")).toBe(MALFORMED);
    const behind = async (tree: ForgedTree) => [{ key: A0, right: await tree.node(null, [{ key: "c/az" }]) }];
    expect(await lookIn({ A: { entries: behind } }, A0)).toBe(MALFORMED);
    expect(await lookIn({ A: { entries: behind } }, "c/0")).toBe(MALFORMED);
    expect(await lookIn({ A: { entries: behind } }, "c/az")).toBe(MALFORMED);
  });

  it("to a block of the tree: not to a raw one, nor to a record", async () => {
    const raw = cidOf("raw", Uint8Array.of(1));
    expect(await lookIn({ B: { left: async () => linkTo(raw.bytes) } }, A0)).toBe(MALFORMED);
    expect(await lookIn({ B: { left: (tree) => tree.record("x") } }, A0)).toBe(MALFORMED);
  });
});

describe("a node without entries", () => {
  it("is no root with a child", async () => {
    const { tree, nodes } = await forge({});
    for (const child of [nodes.D, nodes.B, nodes.A]) {
      expect(await look(tree, await tree.node(child, []), A0)).toBe(MALFORMED);
    }
  });

  it("is no leaf", async () => {
    const empty = (tree: ForgedTree) => tree.node(null, []);
    expect(await lookIn({ B: { left: empty } }, A0)).toBe(MALFORMED);
    expect(await lookIn({ D: { left: empty } }, A0)).toBe(MALFORMED);
    const right = async (tree: ForgedTree) => [{ key: B1, right: await empty(tree) }];
    expect(await lookIn({ B: { entries: right } }, C0)).toBe(MALFORMED);
  });

  it("leads to a leaf that has entries", async () => {
    const under = async (tree: ForgedTree, leaf: TreeEntry[]) => tree.node(await tree.node(null, leaf), []);
    expect(await lookIn({ D: { left: (tree) => under(tree, [{ key: A0 }]) } }, A0)).toBe("present");
    expect(await lookIn({ D: { left: (tree) => under(tree, [{ key: A0 }]) } }, C0)).toBe("absent");
    expect(await lookIn({ D: { left: (tree) => under(tree, []) } }, A0)).toBe(MALFORMED);
    // One more without entries would be at height 0 with a child.
    const deeper = async (tree: ForgedTree) => tree.node(await under(tree, [{ key: A0 }]), []);
    expect(await lookIn({ D: { left: deeper } }, A0)).toBe(MALFORMED);
    // Bounds hold through it.
    expect(await lookIn({ D: { left: (tree) => under(tree, [{ key: E0 }]) } }, C0)).toBe(MALFORMED);
  });
});

describe("keys are strictly ascending", () => {
  const C0x = keyOfHeight(0, "c/cx");
  it.each([
    ["descending", [C0x, C0]],
    ["twice", [C0, C0]],
    ["twice at the end", [C0, C0x, C0x]],
    ["a prefix behind the longer key", [keyOfHeight(0, `${C0}`), C0]],
  ])("not %s", async (_, keys) => {
    for (const wanted of [C0, C0x, "c/cz"]) {
      expect(await lookIn({ C: { entries: () => keys.map((one) => ({ key: one })) } }, wanted)).toBe(MALFORMED);
    }
  });

  it("by bytes, as UTF-8", async () => {
    const [private_, astral] = [keyOfHeight(0, "c/c\uffee"), keyOfHeight(0, "c/c😀")]; // UTF-16 would turn them round
    const entries = (keys: string[]) => ({ C: { entries: () => keys.map((one) => ({ key: one })) } });
    expect(await lookIn(entries([private_, astral]), astral)).toBe("present");
    expect(await lookIn(entries([astral, private_]), astral)).toBe(MALFORMED);
  });
});

describe("keys are inside the bounds of the link to their node", () => {
  const below = { B1: keyOfHeight(0, "c/ax"), D2: keyOfHeight(0, "c/cx"), F1: keyOfHeight(0, "c/ex") };
  it.each<[string, Name, string[], string]>([
    ["above the next key of the parent", "A", [A0, C0], A0],
    ["below the key before in the parent", "C", [below.B1, C0], C0],
    ["above the next key of the grandparent", "C", [C0, E0], C0],
    ["above all keys", "C", [C0, G0], C0],
    ["below the key before in the grandparent", "E", [below.D2, E0], E0],
    ["above the next key, far left", "E", [E0, G0], E0],
    ["below the key before, far right", "G", [below.F1, G0], G0],
    ["an inner key above the root's", "B", [B1, keyOfHeight(1, "c/dz")], B1],
    ["an inner key below the root's", "F", [keyOfHeight(1, "c/cx"), F1], F1],
  ])("not %s", async (_, name, keys, wanted) => {
    const entries = () => keys.map((one) => ({ key: one }));
    expect(await lookIn({ [name]: { entries } }, wanted)).toBe(MALFORMED);
    expect(await lookIn({ [name]: { entries } }, `${wanted}z`)).toBe(MALFORMED);
  });

  it("nor equal to the key at the bound", async () => {
    const high = keyOfHeight(2, "c/y");
    const tree = new ForgedTree();
    const between = await tree.node(null, [{ key: keyOfHeight(1, "c/x") }]);
    const repeated = await tree.node(await tree.node(null, [{ key: E0 }]), [{ key: keyOfHeight(1, "c/x") }]);
    const root = await tree.node(null, [
      { key: D2, right: repeated },
      { key: high, right: between },
    ]);
    expect(await look(tree, root, E0)).toBe("present");
    expect(await look(tree, root, "c/z")).toBe(MALFORMED); // c/x… does not belong behind c/y…
  });

  it("so that a subtree cannot be shown in another place", async () => {
    const { tree, nodes } = await forge({});
    const swapped = await tree.node(nodes.F, [{ key: D2, right: nodes.B }]);
    for (const wanted of [...PRESENT.filter((one) => one !== D2), "c/gz", "c/"]) {
      expect(await look(tree, swapped, wanted)).toBe(MALFORMED);
    }
    const twice = await tree.node(nodes.B, [{ key: D2, right: nodes.B }]);
    expect(await look(tree, twice, G0)).toBe(MALFORMED);
  });
});

describe("the prefix of a key", () => {
  const [long, longer] = [keyOfHeight(0, "c/c00"), keyOfHeight(0, "c/c01")];
  const two = (change: (second: LexObject, first: LexObject) => LexObject): Partial<Record<Name, Forgery>> => ({
    C: {
      entries: () => [{ key: long }, { key: longer }],
      edit: (node) => {
        const [first, second] = node["e"] as [LexObject, LexObject];
        return { ...node, e: [first, change(second, first)] };
      },
    },
  });
  const keyFrom = (entry: LexObject, prefix: number) => ({ ...entry, p: prefix, k: toUtf8(longer.slice(prefix)) });

  it("is what it shares with the key before it", async () => {
    expect(
      await lookIn(
        two((second) => second),
        longer,
      ),
    ).toBe("present");
    expect(
      await lookIn(
        two((second) => keyFrom(second, 4)),
        longer,
      ),
    ).toBe("present");
  });

  it("is all of it", async () => {
    for (const prefix of [0, 1, 3]) {
      for (const wanted of [long, longer, "c/c"]) {
        expect(
          await lookIn(
            two((second) => keyFrom(second, prefix)),
            wanted,
          ),
        ).toBe(MALFORMED);
      }
    }
  });

  it("is no longer than the key before it", async () => {
    const k = toUtf8(keyOfHeight(0, long).slice(long.length));
    const withPrefix = (p: number) =>
      lookIn(
        two((second) => ({ ...second, p, k })),
        long,
      );
    expect(await withPrefix(long.length)).toBe("present");
    for (const p of [long.length + 1, 1000, Number.MAX_SAFE_INTEGER]) expect(await withPrefix(p)).toBe(MALFORMED);
  });

  it("is not below 0, nor anything but a small number", async () => {
    const cut = keyOfHeight(0, `${long.slice(0, -1)}~`);
    const rest = toUtf8(cut.slice(long.length - 1));
    expect(
      await lookIn(
        two((second) => ({ ...second, p: long.length - 1, k: rest })),
        long,
      ),
    ).toBe("present");
    for (const prefix of [-1, "4", null, true, 2n ** 60n]) {
      expect(
        await lookIn(
          two((second) => ({ ...second, p: prefix, k: rest })),
          long,
        ),
      ).toBe(MALFORMED);
    }
  });

  it("is 0 for the first key", async () => {
    for (const prefix of [1, -1, 5]) {
      const edit = (node: LexObject) => ({
        ...node,
        e: (node["e"] as LexObject[]).map((one) => ({ ...one, p: prefix })),
      });
      expect(await lookIn({ C: { edit } }, C0)).toBe(MALFORMED);
      expect(await lookIn({ D: { edit } }, D2)).toBe(MALFORMED);
    }
  });
});

describe("a node has its fields and no others", () => {
  const withNode = (edit: (node: LexObject) => unknown) => lookIn({ B: { edit } }, B1);
  const withEntry = (edit: (entry: LexObject) => unknown) =>
    withNode((node) => ({ ...node, e: (node["e"] as LexObject[]).map(edit) }));

  it("none is missing", async () => {
    expect(await withNode((node) => without(node, "l"))).toBe(MALFORMED);
    expect(await withNode((node) => without(node, "e"))).toBe(MALFORMED);
    for (const name of ["p", "k", "v", "t"]) {
      expect(await withEntry((entry) => without(entry, name))).toBe(MALFORMED);
    }
  });

  it("none is unknown", async () => {
    expect(await withNode((node) => ({ ...node, x: null }))).toBe(MALFORMED);
    expect(await withNode((node) => ({ ...without(node, "l"), x: null }))).toBe(MALFORMED);
    expect(await withEntry((entry) => ({ ...entry, x: null }))).toBe(MALFORMED);
    expect(await withEntry((entry) => ({ ...without(entry, "t"), x: null }))).toBe(MALFORMED);
  });

  it("each is of its type", async () => {
    for (const left of ["x", 0, false, [], {}])
      expect(await withNode((node) => ({ ...node, l: left }))).toBe(MALFORMED);
    for (const entries of ["x", null, {}, [null], ["x"], [[]]]) {
      expect(await withNode((node) => ({ ...node, e: entries }))).toBe(MALFORMED);
    }
    for (const rest of [B1, null, 1, []]) expect(await withEntry((entry) => ({ ...entry, k: rest }))).toBe(MALFORMED);
    for (const value of [null, "x", {}, 1])
      expect(await withEntry((entry) => ({ ...entry, v: value }))).toBe(MALFORMED);
    for (const right of ["x", 0, {}]) expect(await withEntry((entry) => ({ ...entry, t: right }))).toBe(MALFORMED);
  });

  it("it is a map, in canonical DAG-CBOR", async () => {
    for (const other of [null, [], "x", 1]) expect(await withNode(() => other)).toBe(MALFORMED);
    expect(await withNode(() => Uint8Array.of(0xff))).toBe(MALFORMED);
    const { bytes } = await encodeBlock({ e: [], l: null });
    expect(await withNode(() => Uint8Array.of(...bytes, 0))).toBe(MALFORMED);
    expect(await withNode(() => Uint8Array.of(0xa2, ...bytes.subarray(4), ...bytes.subarray(1, 4)))).toBe(MALFORMED);
  });
});

describe("what is not judged", () => {
  it("are the CIDs of other records, and the characters of keys", async () => {
    const odd = keyOfHeight(0, "c/c~\u0000é/");
    const value = linkTo(Uint8Array.of(1, 0x70, 0x12, 32, ...new Uint8Array(32)));
    const entries = () => [{ key: C0 }, { key: odd, value }];
    expect(await lookIn({ C: { entries } }, C0)).toBe("present");
  });

  it("are keys that are no UTF-8", async () => {
    const edit = (node: LexObject) => {
      for (let i = 0; ; i++) {
        const bytes = Uint8Array.of(...toUtf8(C0), 0xff, i);
        if (heightOf(bytes) !== 0) continue;
        const [first] = node["e"] as LexObject[];
        return { ...node, e: [first, { ...first, p: C0.length, k: bytes.subarray(C0.length) }] };
      }
    };
    expect(await lookIn({ C: { edit } }, C0)).toBe("present");
  });
});

describe("a key", () => {
  it("has 1,024 bytes at most", async () => {
    const long = keyOfHeight(0, `c/c${"x".repeat(1020)}`);
    const longest = long.length === 1024 ? long : expect.fail(`${long.length}`);
    const tooLong = keyOfHeight(0, longest);
    expect(tooLong).toHaveLength(1025);
    expect(await lookIn({ C: { entries: () => [{ key: longest }] } }, longest)).toBe("present");
    expect(await lookIn({ C: { entries: () => [{ key: tooLong }] } }, tooLong)).toBe(MALFORMED);
    expect(await lookIn({ C: { entries: () => [{ key: longest }, { key: tooLong }] } }, longest)).toBe(MALFORMED);
  });
});

describe("the way to a key", () => {
  it("has 64 KiB at most in all its nodes", async () => {
    // Long keys that share a letter alone make nodes of a kilobyte for each.
    const keysAt = (height: number, letter: string, count: number) =>
      Array.from({ length: count }, (_, i) =>
        keyOfHeight(height, `${letter}${String.fromCharCode(33 + i)}${"x".repeat(1000)}`),
      );
    const [leaf, inner, root] = [keysAt(0, "a", 22), keysAt(1, "b", 22), keysAt(2, "d", 22)];
    const wanted = leaf[0] ?? "";
    const withLeaf = async (count: number) => {
      const tree = new ForgedTree();
      const value = await tree.record("any");
      const top = (await tree.build([...leaf.slice(0, count), ...inner, ...root], 2, value)) ?? expect.fail("empty");
      const blocks = new Map(tree.blocks.map(({ cid, bytes }) => [new Cid(cid).toString(), bytes]));
      return codeOf(() => pathInTree(blocks, new Cid(top.bytes), wanted).value);
    };
    expect(await withLeaf(12)).toBe("none");
    expect(await withLeaf(22)).toBe(MALFORMED);
  });

  it("has 64 KiB at most to the byte", async () => {
    const others = Array.from({ length: 61 }, (_, i) =>
      keyOfHeight(0, `${String.fromCharCode(33 + i)}${"x".repeat(1000)}`),
    );
    const wanted = others[0] ?? "";
    /** A tree of one node whose last key begins with so many letters, the node's size, and what is said of it. */
    const withLast = async (length: number): Promise<[number, string]> => {
      const tree = new ForgedTree();
      const value = await tree.record("any");
      const keys = [...others, keyOfHeight(0, "~".repeat(length))];
      const cid = await tree.node(
        null,
        keys.map((one) => ({ key: one, value })),
      );
      const bytes = tree.blocks.at(-1)?.bytes ?? expect.fail("no block");
      const blocks = new Map([[new Cid(cid.bytes).toString(), bytes]]);
      return [bytes.length, codeOf(() => pathInTree(blocks, new Cid(cid.bytes), wanted).value)];
    };
    const [size] = await withLast(500);
    const missing = 64 * 1024 - size;
    expect(await withLast(500 + missing)).toEqual([64 * 1024, "none"]);
    expect(await withLast(501 + missing)).toEqual([64 * 1024 + 1, MALFORMED]);
  });
});
