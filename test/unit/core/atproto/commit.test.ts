import { describe, expect, it } from "vitest";
import { readCommit } from "../../../../src/core/atproto/commit.ts";
import { toHex } from "../../../../src/core/encoding/bytes.ts";
import { cidOf } from "../../../../src/core/encoding/cid.ts";
import { cidOfBytes, encodeBlock, linkTo } from "../../../support/forged-proof.ts";
import { codeOf } from "../../../support/rejection.ts";
import { without } from "../../../support/without.ts";

const data = await cidOfBytes(Uint8Array.of(1));
const raw = linkTo(cidOf("raw", Uint8Array.of(1)).bytes);
const good = {
  did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
  version: 3,
  rev: "3jzfcijpj2z2a",
  prev: null,
  data,
  sig: new Uint8Array(64),
};

async function read(commit: unknown) {
  return readCommit(Uint8Array.from((await encodeBlock(commit)).bytes));
}

async function codeFor(commit: unknown): Promise<string> {
  const { bytes } = await encodeBlock(commit);
  return codeOf(() => readCommit(Uint8Array.from(bytes)));
}

describe("a commit", () => {
  it("is read; what is signed is the canonical bytes without sig", async () => {
    const commit = await read(good);
    expect(commit).toMatchObject({ did: good.did, rev: good.rev, signature: good.sig });
    expect(commit.data.bytes).toEqual(data.bytes);
    expect(toHex(commit.signedBytes)).toBe(toHex((await encodeBlock(without(good, "sig"))).bytes));
  });

  it("may have a prev, or none", async () => {
    expect(await codeFor({ ...good, prev: data })).toBe("none");
    expect(await codeFor({ ...good, prev: raw })).toBe("none");
    expect(await codeFor(without(good, "prev"))).toBe("none");
  });

  it("keeps fields that are not known: they are signed too", async () => {
    const more = { ...good, a: { sig: 1 }, zzzzzzzz: ["x", data] };
    const { sig: _, ...unsigned } = more;
    expect(toHex((await read(more)).signedBytes)).toBe(toHex((await encodeBlock(unsigned)).bytes));
  });

  it("does not judge the DID nor the length of the signature", async () => {
    expect(await codeFor({ ...good, did: "", sig: new Uint8Array() })).toBe("none");
  });

  it.each(["did", "version", "rev", "data", "sig"])("is refused without %s", async (name) => {
    expect(await codeFor(without(good, name))).toBe("commit.malformed");
  });

  it.each<[string, unknown]>([
    ["version", 2],
    ["version", 4],
    ["version", "3"],
    ["version", [[3], {}, null, data]],
    ["did", null],
    ["did", ["did:plc:ewvi7nxzyoun6zhxrhs64oiz"]],
    ["rev", 1],
    ["rev", ["3jzfcijpj2z2a"]],
    ["rev", ""],
    ["rev", "zzzzzzzzzzzzz"],
    ["rev", "3jzfcijpj2z2"],
    ["data", null],
    ["data", "bafyreihdb57fdysx5h35urvxz64ros7zvywshber7id6t6c6fek37jgyfe"],
    ["data", raw],
    ["prev", "bafyreihdb57fdysx5h35urvxz64ros7zvywshber7id6t6c6fek37jgyfe"],
    ["prev", 0],
    ["prev", false],
    ["sig", "AAAA"],
    ["sig", null],
    ["sig", [1]],
  ])("is refused with %s %j", async (name, value) => {
    expect(await codeFor({ ...good, [name]: value })).toBe("commit.malformed");
  });

  it("is a map in canonical DAG-CBOR", async () => {
    for (const other of [null, [], "x", 3]) expect(await codeFor(other)).toBe("commit.malformed");
    const { bytes } = await encodeBlock(good);
    expect(codeOf(() => readCommit(Uint8Array.of(...bytes, 0)))).toBe("commit.malformed");
    expect(codeOf(() => readCommit(new Uint8Array()))).toBe("commit.malformed");
  });

  it("has 8 KiB at most", async () => {
    expect(await codeFor({ ...good, filler: new Uint8Array(7 * 1024) })).toBe("none");
    expect(await codeFor({ ...good, filler: new Uint8Array(8 * 1024) })).toBe("commit.malformed");
  });
});
