import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseDidKey, parseLegacyKey, verifySignature } from "../../src/core/atproto/key.ts";
import { keyHeight, pathInTree } from "../../src/core/atproto/mst.ts";
import { isDid, isTid } from "../../src/core/atproto/syntax.ts";
import { compareBytes, toUtf8 } from "../../src/core/encoding/bytes.ts";
import { Cid, cidOf } from "../../src/core/encoding/cid.ts";
import { type DagCbor, decodeDagCbor, encodeDagCbor } from "../../src/core/encoding/dag-cbor.ts";
import { encodeBlock, type LexObject, linkTo } from "../support/forged-proof.ts";
import { ForgedTree, heightOf, keyOfHeight } from "../support/merkle-tree.ts";
import { codeOf } from "../support/rejection.ts";
import type { Cid as RefCid } from "../support/signed-repo.ts";
import { type Curve, signingKey } from "../support/signing-key.ts";

/**
 * The public vectors of https://github.com/bluesky-social/atproto-interop-tests, read from the folder
 * that ATCR_VERIFY_INTEROP names. Without it the same checks run on vectors of the same form that the
 * reference libraries make here.
 */
const FOLDER = process.env["ATCR_VERIFY_INTEROP"];

interface SignatureVector {
  readonly comment: string;
  readonly messageBase64: string;
  readonly didDocSuite: string;
  readonly publicKeyDid: string;
  /** The point without multicodec. */
  readonly publicKeyMultibase: string;
  readonly signatureBase64: string;
  readonly validSignature: boolean;
}

interface DataVector {
  readonly json: unknown;
  readonly cbor_base64: string;
  readonly cid: string;
}

interface CommitVector {
  readonly comment: string;
  readonly leafValue: string;
  readonly keys: readonly string[];
  readonly adds: readonly string[];
  readonly dels: readonly string[];
  readonly rootBeforeCommit: string;
  readonly rootAfterCommit: string;
  readonly blocksInProof: readonly string[];
}

interface Vectors {
  readonly signatures: readonly SignatureVector[];
  readonly didKeys: readonly { publicDidKey: string }[];
  readonly data: readonly DataVector[];
  readonly heights: readonly { key: string; height: number }[];
  readonly prefixes: readonly { left: string; right: string; len: number }[];
  /** Two letters and the height of the key in between. */
  readonly keys: readonly string[];
  readonly commits: readonly CommitVector[];
  readonly syntax: Readonly<Record<"did" | "tid", { valid: readonly string[]; invalid: readonly string[] }>>;
}

function published(folder: string): Vectors {
  const text = (path: string) => readFileSync(join(folder, path), "utf8");
  const json = <T>(path: string) => JSON.parse(text(path)) as T;
  const lines = (path: string) =>
    text(path)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
  const syntax = (kind: string) => ({
    valid: lines(`syntax/${kind}_syntax_valid.txt`),
    invalid: lines(`syntax/${kind}_syntax_invalid.txt`),
  });
  return {
    signatures: json("crypto/signature-fixtures.json"),
    didKeys: [
      ...json<Vectors["didKeys"]>("crypto/w3c_didkey_K256.json"),
      ...json<Vectors["didKeys"]>("crypto/w3c_didkey_P256.json"),
    ],
    data: json("data-model/data-model-fixtures.json"),
    heights: json("mst/key_heights.json"),
    prefixes: json("mst/common_prefix.json"),
    keys: lines("mst/example_keys.txt"),
    commits: json("firehose/commit-proof-fixtures.json"),
    syntax: { did: syntax("did"), tid: syntax("tid") },
  };
}

/** Vectors of the same form: signatures, encodings and trees of the reference libraries. */
async function generated(): Promise<Vectors> {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("=", "");
  const suites: Record<Curve, string> = {
    k256: "EcdsaSecp256k1VerificationKey2019",
    p256: "EcdsaSecp256r1VerificationKey2019",
  };
  const message = toUtf8("message");
  const signatures: SignatureVector[] = [];
  for (const curve of ["k256", "p256"] as const) {
    const key = signingKey(curve, "interop");
    for (const [comment, signature, validSignature] of [
      ["low-S", await key.sign(message), true],
      ["high-S", await key.signHighS(message), false],
      ["DER", await key.signDer(message), false],
    ] as const) {
      signatures.push({
        comment: `${curve} ${comment}`,
        messageBase64: base64(message),
        didDocSuite: suites[curve],
        publicKeyDid: key.did(),
        publicKeyMultibase: key.legacyMultibase("compressed"),
        signatureBase64: base64(signature),
        validSignature,
      });
    }
  }
  const { cid: link } = await encodeBlock({});
  const { cid, bytes } = await encodeBlock({ text: "a€", link, list: [1, true, null], bytes: Uint8Array.of(1, 2) });
  const json = { text: "a€", link: { $link: link.toString() }, list: [1, true, null], bytes: { $bytes: "AQI" } };

  const tree = new ForgedTree();
  const value = await tree.add({});
  const names = ["A0", "B1", "C0", "D2", "E0", "F1", "G0"].map((name) => keyOfHeight(Number(name[1]), `${name}/`));
  const before = names.filter((_, i) => i !== 3);
  const root = async (keys: readonly string[]) => `${await treeOf(new ForgedTree(), keys, value)}`;
  return {
    signatures,
    didKeys: [{ publicDidKey: signingKey("k256", "any").did() }, { publicDidKey: signingKey("p256", "any").did() }],
    data: [{ json, cbor_base64: base64(bytes), cid: cid.toString() }],
    heights: names.map((key) => ({ key, height: heightOf(key) })),
    prefixes: [
      { left: "abc", right: "abd", len: 2 },
      { left: "", right: "abc", len: 0 },
    ],
    keys: names,
    commits: [
      {
        comment: "one in the middle",
        leafValue: value.toString(),
        keys: before,
        adds: names.slice(3, 4),
        dels: [],
        rootBeforeCommit: await root(before),
        rootAfterCommit: await root(names),
        blocksInProof: [],
      },
    ],
    syntax: {
      did: { valid: ["did:plc:ewvi7nxzyoun6zhxrhs64oiz"], invalid: ["did:plc:", "did:web:a/b"] },
      tid: { valid: ["3jzfcijpj2z2a"], invalid: ["zzzzzzzzzzzzz"] },
    },
  };
}

/** The value that the JSON form of the data model stands for (https://atproto.com/specs/data-model). */
function fromJson(json: unknown): DagCbor {
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json !== "object" || json === null) return json as DagCbor;
  const { $link, $bytes } = json as LexObject;
  if (typeof $link === "string") return new Cid(base32Of($link));
  if (typeof $bytes === "string") return new Uint8Array(Buffer.from($bytes, "base64"));
  return new Map(Object.entries(json).map(([name, value]) => [name, fromJson(value)]));
}

function base32Of(text: string): Uint8Array {
  const digits = Array.from(text.slice(1), (letter) => "abcdefghijklmnopqrstuvwxyz234567".indexOf(letter));
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

/** Builds the tree of these keys, each with the same value. */
async function treeOf(tree: ForgedTree, keys: readonly string[], value: RefCid): Promise<RefCid> {
  return (await tree.build(keys, undefined, value)) ?? expect.fail("no keys");
}

const vectors = FOLDER === undefined ? await generated() : published(FOLDER);

describe(`vectors of ${FOLDER === undefined ? "our own" : "the interop suite"}`, () => {
  it.each(vectors.signatures)("signature: $comment", (vector) => {
    const key = parseDidKey(vector.publicKeyDid) ?? expect.fail("no key");
    expect(parseLegacyKey(vector.didDocSuite, vector.publicKeyMultibase)).toEqual(key);
    const message = new Uint8Array(Buffer.from(vector.messageBase64, "base64"));
    const signature = new Uint8Array(Buffer.from(vector.signatureBase64, "base64"));
    expect(verifySignature(key, message, signature)).toBe(vector.validSignature);
  });

  it.each(vectors.didKeys)("$publicDidKey", ({ publicDidKey }) => {
    expect(parseDidKey(publicDidKey)?.didKey).toBe(publicDidKey);
  });

  it.each(vectors.data)("data model: $cid", ({ json, cbor_base64, cid }) => {
    const bytes = new Uint8Array(Buffer.from(cbor_base64, "base64"));
    expect(decodeDagCbor(bytes, "record.malformed", "the vector")).toEqual(fromJson(json));
    expect(Uint8Array.from(encodeDagCbor(fromJson(json)))).toEqual(bytes);
    expect(cidOf("dag-cbor", bytes).toString()).toBe(cid);
  });

  it.each(vectors.heights)("height of $key", ({ key, height }) => {
    expect(keyHeight(toUtf8(key))).toBe(height);
  });

  it("heights of keys that name them", () => {
    expect(vectors.keys.length).toBeGreaterThan(0);
    for (const key of vectors.keys) expect(keyHeight(toUtf8(key))).toBe(Number(key[1]));
  });

  it.each(vectors.prefixes)("common prefix of $left and $right", async ({ left, right, len }) => {
    // Endings that differ leave what is shared, and give both keys the height of a leaf.
    const keys = [keyOfHeight(0, `${left}\u0001`), keyOfHeight(0, `${right}\u0002`)].map(toUtf8).sort(compareBytes);
    const [first, second] = keys as [Uint8Array, Uint8Array];
    const withPrefix = async (p: number) => {
      const tree = new ForgedTree();
      const v = await tree.record("x");
      const entries = [
        { p: 0, k: first, v, t: null },
        { p, k: second.subarray(p), v, t: null },
      ];
      const root = await tree.add({ l: null, e: entries });
      const blocks = new Map(tree.blocks.map(({ cid, bytes }) => [new Cid(cid).toString(), bytes]));
      return codeOf(() => pathInTree(blocks, new Cid(root.bytes), "x").value);
    };
    for (let p = 0; p <= len; p++) expect(await withPrefix(p)).toBe(p === len ? "none" : "mst.malformed");
  });

  it.each(vectors.commits)("commit: $comment", async (vector) => {
    const value = linkTo(base32Of(vector.leafValue));
    const before = new ForgedTree();
    expect(`${await treeOf(before, vector.keys, value)}`).toBe(vector.rootBeforeCommit);
    const kept = vector.keys.filter((key) => !vector.dels.includes(key));
    const after = new ForgedTree();
    const root = await treeOf(after, [...kept, ...vector.adds], value);
    expect(`${root}`).toBe(vector.rootAfterCommit);

    const all = new Map(after.blocks.map(({ cid, bytes }) => [new Cid(cid).toString(), bytes]));
    const proof = new Map([...all].filter(([cid]) => FOLDER === undefined || vector.blocksInProof.includes(cid)));
    const find = (blocks: ReadonlyMap<string, Uint8Array>, key: string) => {
      let found = "";
      const code = codeOf(() => {
        found = pathInTree(blocks, new Cid(root.bytes), key).value?.toString() ?? "absent";
      });
      return code === "none" ? found : code;
    };
    for (const key of [...kept, ...vector.adds]) expect(find(all, key)).toBe(vector.leafValue);
    for (const key of vector.dels) expect(find(all, key)).toBe("absent");
    for (const key of vector.adds) expect(find(proof, key)).toBe(vector.leafValue);
    for (const key of vector.dels) expect(find(proof, key)).toBe("absent");
    for (const key of kept) expect([vector.leafValue, "mst.incomplete_proof"]).toContain(find(proof, key));
  });

  it("syntax of DIDs, of which only did:plc and did:web of a host are known here", () => {
    for (const text of vectors.syntax.did.invalid) expect([text, isDid(text)]).toEqual([text, false]);
    for (const text of vectors.syntax.did.valid) {
      const known = text.startsWith("did:plc:") || text.startsWith("did:web:");
      expect([text, isDid(text)]).toEqual([text, known]);
    }
  });

  it("syntax of TIDs", () => {
    for (const text of vectors.syntax.tid.valid) expect([text, isTid(text)]).toEqual([text, true]);
    for (const text of vectors.syntax.tid.invalid) expect([text, isTid(text)]).toEqual([text, false]);
  });
});
