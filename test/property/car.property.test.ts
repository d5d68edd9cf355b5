import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCommit } from "../../src/core/atproto/commit.ts";
import type { Identity } from "../../src/core/atproto/identity.ts";
import { parseDidKey } from "../../src/core/atproto/key.ts";
import { type ProvenRecord, proveRecord } from "../../src/core/atproto/record-proof.ts";
import { readCar } from "../../src/core/encoding/car.ts";
import { cidOf } from "../../src/core/encoding/cid.ts";
import { decodeDagCbor, encodeDagCbor } from "../../src/core/encoding/dag-cbor.ts";
import { arbitraryDagCbor, flipBit } from "../support/arbitrary-dag-cbor.ts";
import { type Block, carFile, cidOfBytes, readProof, varint } from "../support/forged-proof.ts";
import { codeOf } from "../support/rejection.ts";
import { MANIFEST_COLLECTION, manifestRecord, SignedRepo } from "../support/signed-repo.ts";
import { signingKey } from "../support/signing-key.ts";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const AT = Date.UTC(2025, 0, 1);
const RKEY = "ab".repeat(32);
const PATH = `${MANIFEST_COLLECTION}/${RKEY}`;
const key = signingKey("k256", "car");
const repo = await SignedRepo.create({ did: DID, key, at: AT });
await repo.fill(20, AT + 1);
await repo.put(MANIFEST_COLLECTION, RKEY, manifestRecord(`sha256:${RKEY}`, "app"), AT + 2);
const PRESENCE = await repo.proof(MANIFEST_COLLECTION, RKEY);
await repo.delete(MANIFEST_COLLECTION, RKEY, AT + 3);
const ABSENCE = await repo.proof(MANIFEST_COLLECTION, RKEY);
const { root, blocks } = await readProof(PRESENCE);
const UNLINKED: Block = { cid: cidOf("raw", Uint8Array.of(7)).bytes, bytes: Uint8Array.of(7) };
const TOLERANT = await carFile([root], [UNLINKED, ...blocks, ...blocks]);

const identity: Identity = {
  did: DID,
  key: parseDidKey(key.did()) ?? expect.fail("no key"),
  formerKeys: new Set([signingKey("p256", "former").did()]),
  pds: "https://pds.example",
  handles: [],
  services: [],
};

/** What the bytes prove, undefined where they are refused; anything but a Rejection is thrown on. */
function proven(car: Uint8Array): ProvenRecord | undefined {
  let found: ProvenRecord | undefined;
  codeOf(() => {
    found = proveRecord(identity, car, PATH);
  });
  return found;
}

describe("a proof", () => {
  it.each([
    ["presence", PRESENCE],
    ["absence", ABSENCE],
  ])("of %s proves nothing when any one bit is another", (_, car) => {
    expect(proven(car)).toBeDefined();
    for (let bit = 0; bit < car.length * 8; bit++) expect(proven(flipBit(car, bit))).toBeUndefined();
  });

  it("proves the same or nothing when any one bit is another and blocks are repeated or unlinked", () => {
    const expected = proven(TOLERANT) ?? expect.fail("refused");
    fc.assert(
      fc.property(fc.nat(TOLERANT.length * 8 - 1), (bit) => {
        expect(proven(flipBit(TOLERANT, bit)) ?? expected).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("proves nothing when any one bit of its commit is another, and the root follows", async () => {
    const [commit, rest] = [blocks.find(({ cid }) => Buffer.compare(cid, root) === 0), blocks];
    const { bytes } = commit ?? expect.fail("no commit");
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length * 8 - 1), async (bit) => {
        const changed = flipBit(bytes, bit);
        const { bytes: cid } = await cidOfBytes(changed);
        expect(proven(await carFile([cid], [{ cid, bytes: changed }, ...rest]))).toBeUndefined();
      }),
      { numRuns: 400 },
    );
  });

  it("proves the same in any order of its blocks, and nothing without one of them", async () => {
    const expected = proven(PRESENCE);
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(blocks, { minLength: blocks.length - 1 }), async (some) => {
        const found = proven(await carFile([root], some));
        expect(found).toEqual(some.length === blocks.length ? expected : undefined);
      }),
      { numRuns: 100 },
    );
  });

  it("ends in a rejection, whatever the bytes are", () => {
    const any = fc.uint8Array({ maxLength: 200 });
    const framed = any.map((content) => Uint8Array.of(...varint(content.length), ...content));
    fc.assert(
      fc.property(fc.oneof(any, framed), (bytes) => {
        expect(codeOf(() => readCar(bytes))).toBe("car.malformed");
        expect(codeOf(() => proveRecord(identity, bytes, PATH))).toBe("car.malformed");
        expect(codeOf(() => readCommit(bytes))).toBe("commit.malformed");
        expect(codeOf(() => readCar(Uint8Array.of(...PRESENCE, ...bytes)))).not.toBe(
          bytes.length === 0 ? "car.malformed" : "none",
        );
      }),
      { numRuns: 1000 },
    );
  });

  it("ends in a rejection, whatever its blocks hold", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryDagCbor, arbitraryDagCbor, async (value, other) => {
        const [one, two] = [encodeDagCbor(value), encodeDagCbor(other)].map((bytes) => ({
          cid: cidOf("dag-cbor", bytes).bytes,
          bytes,
        })) as [Block, Block];
        expect(proven(await carFile([one.cid], [one, two]))).toBeUndefined();
        // Values of any kind in place of the fields of the commit.
        const commit = decodeDagCbor(blocks[0]?.bytes ?? expect.fail("no block"), "commit.malformed", "it");
        const fields = [...(commit as ReadonlyMap<string, typeof value>)];
        for (const [name] of fields) {
          const bytes = encodeDagCbor(new Map([...fields, [name, value]]));
          const block = { cid: cidOf("dag-cbor", bytes).bytes, bytes };
          const found = proven(await carFile([block.cid], [block, ...blocks]));
          if (found !== undefined) expect(found).toEqual(proven(PRESENCE));
        }
      }),
      { numRuns: 60 },
    );
  });
});
