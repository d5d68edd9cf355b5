import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyHeight, pathInTree } from "../../src/core/atproto/mst.ts";
import { toUtf8 } from "../../src/core/encoding/bytes.ts";
import { Cid, cidOf } from "../../src/core/encoding/cid.ts";
import { type DagCbor, decodeDagCbor, encodeDagCbor } from "../../src/core/encoding/dag-cbor.ts";
import { arbitraryDagCbor, flipBit } from "../support/arbitrary-dag-cbor.ts";
import { ForgedTree, heightOf } from "../support/merkle-tree.ts";
import { codeOf } from "../support/rejection.ts";

const TREE_CODES = ["mst.malformed", "mst.incomplete_proof"];

interface Blocks {
  readonly root: Cid;
  readonly blocks: ReadonlyMap<string, Uint8Array>;
}

const key = fc.oneof(
  fc.stringMatching(/^[a-c]\/[0-9]{1,4}$/),
  fc.nat(300).map((number) => `io.atcr.manifest/${number}`),
  fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
);
const keys = fc.uniqueArray(key, { maxLength: 60 });

async function treeOf(names: readonly string[]): Promise<Blocks> {
  const tree = new ForgedTree();
  const root = (await tree.build(names)) ?? (await tree.node(null, []));
  const blocks = new Map(tree.blocks.map(({ cid, bytes }) => [new Cid(cid).toString(), Uint8Array.from(bytes)]));
  return { root: new Cid(root.bytes), blocks };
}

/** Text of the record's CID, `absent`, or a code. */
function look({ root, blocks }: Blocks, wanted: string): string {
  let found = "";
  const code = codeOf(() => {
    found = pathInTree(blocks, root, wanted).value?.toString() ?? "absent";
  });
  return code === "none" ? found : code;
}

/** The text of the CID that the record of a key has in {@link treeOf}. */
function recordOf(name: string): string {
  return cidOf("dag-cbor", encodeDagCbor(new Map([["about", name]]))).toString();
}

/** The same tree with other bytes for one block, every link above corrected: as its owner could sign it. */
function replaced({ root, blocks }: Blocks, target: string, bytes: Uint8Array): Blocks {
  const written = new Map(blocks);
  const rewrite = (link: Cid): Cid => {
    const block = blocks.get(link.toString());
    if (block === undefined) return link;
    const content =
      link.toString() === target ? bytes : encodeDagCbor(relink(decodeDagCbor(block, "mst.malformed", "it")));
    const cid = cidOf("dag-cbor", content);
    written.set(cid.toString(), content);
    return cid;
  };
  const relink = (value: DagCbor): DagCbor => {
    if (value instanceof Cid) return rewrite(value);
    if (value instanceof Map)
      return new Map([...(value as ReadonlyMap<string, DagCbor>)].map(([name, one]) => [name, relink(one)]));
    return Array.isArray(value) ? (value as readonly DagCbor[]).map(relink) : value;
  };
  return { root: rewrite(root), blocks: written };
}

/** Whether a block is a node of the tree below this height, by the first key in it; a record is none. */
function isLower(block: Uint8Array, height: number): boolean {
  const node = decodeDagCbor(block, "mst.malformed", "it") as ReadonlyMap<string, DagCbor>;
  const [first] = (node.get("e") ?? []) as readonly ReadonlyMap<string, DagCbor>[];
  return first !== undefined && heightOf(first.get("k") as Uint8Array) < height;
}

describe("a tree", () => {
  it("tells the keys that it holds from all others", async () => {
    await fc.assert(
      fc.asyncProperty(keys, fc.array(key, { maxLength: 10 }), async (held, others) => {
        const tree = await treeOf(held);
        for (const one of held) expect(look(tree, one)).toBe(recordOf(one));
        for (const one of others) expect(look(tree, one)).toBe(held.includes(one) ? recordOf(one) : "absent");
      }),
      { numRuns: 60 },
    );
  });

  it("never says absent for what a missing block could hold", async () => {
    await fc.assert(
      fc.asyncProperty(keys, fc.array(key, { maxLength: 5 }), fc.nat(), async (held, others, seed) => {
        const tree = await treeOf(held);
        const lost = [...tree.blocks.keys()][seed % tree.blocks.size] ?? "";
        const holed = { ...tree, blocks: new Map([...tree.blocks].filter(([cid]) => cid !== lost)) };
        for (const one of [...held, ...others]) {
          const whole = look(tree, one);
          expect([whole, "mst.incomplete_proof"]).toContain(look(holed, one));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("proves absence by the root and the nodes that are not lower than the key", async () => {
    await fc.assert(
      fc.asyncProperty(keys, key, async (held, wanted) => {
        const tree = await treeOf(held);
        if (held.includes(wanted)) return;
        const height = heightOf(wanted);
        const lost = [...tree.blocks].filter(([, bytes]) => isLower(bytes, height)).map(([cid]) => cid);
        const shown = new Map([...tree.blocks].filter(([cid]) => cid === tree.root.toString() || !lost.includes(cid)));
        expect(look({ ...tree, blocks: shown }, wanted)).toBe("absent");
      }),
      { numRuns: 60 },
    );
  });

  it("ends in an answer or a rejection, whatever one of its nodes holds", async () => {
    const tree = await treeOf(Array.from({ length: 40 }, (_, i) => `io.atcr.manifest/${i}`));
    const wanted = "io.atcr.manifest/17";
    const nodes = [...tree.blocks].filter(([, bytes]) => bytes[0] === 0xa2);
    const other = fc.oneof(
      fc.nat().map((seed) => (bytes: Uint8Array) => flipBit(bytes, seed % (bytes.length * 8))),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => () => bytes),
      arbitraryDagCbor.map((value) => () => encodeDagCbor(value)),
      fc.array(arbitraryDagCbor, { maxLength: 3 }).map(
        (list) => () =>
          encodeDagCbor(
            new Map<string, DagCbor>([
              ["e", list],
              ["l", null],
            ]),
          ),
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...nodes), other, ([cid, bytes], change) => {
        const forged = replaced(tree, cid, change(bytes));
        let shown: Cid | undefined;
        const code = codeOf(() => {
          shown = pathInTree(forged.blocks, forged.root, wanted).value;
        });
        expect(["none", ...TREE_CODES]).toContain(code);
        // What is shown is a link of some block; nothing is made up.
        const held = [...forged.blocks.values()].some((block) =>
          Buffer.from(block).includes(Buffer.from(shown?.bytes ?? block)),
        );
        expect(held).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the height of a key", () => {
  it("is that of another reading of the rule", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(keyHeight(toUtf8(text))).toBe(heightOf(text));
      }),
    );
  });
});
