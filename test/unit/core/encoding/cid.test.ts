import { describe, expect, it } from "vitest";
import { fromHex, toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { CID_LENGTH, Cid, cidOf, toBase32 } from "../../../../src/core/encoding/cid.ts";
import { sha256 } from "../../../../src/core/encoding/sha256.ts";
import { encodeBlock } from "../../../support/forged-proof.ts";

const HASH = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // SHA-256 of "abc", FIPS 180-2

describe("sha256", () => {
  it("is SHA-256", () => {
    expect(sha256(toUtf8("abc"))).toEqual(fromHex(HASH));
  });
});

describe("a CID of a block", () => {
  it("is that of the reference, in bytes and text", async () => {
    const { cid, bytes } = await encodeBlock({ a: 1 });
    expect(cidOf("dag-cbor", bytes).bytes).toEqual(cid.bytes);
    expect(cidOf("dag-cbor", bytes).toString()).toBe(cid.toString());
  });

  it("tells its codec and hash", () => {
    const raw = cidOf("raw", toUtf8("abc"));
    expect(raw.bytes).toEqual(fromHex(`01551220${HASH}`));
    expect(raw.bytes).toHaveLength(CID_LENGTH);
    expect([raw.codec, raw.sha256]).toEqual(["raw", fromHex(HASH)]);
    expect(cidOf("dag-cbor", toUtf8("abc")).codec).toBe("dag-cbor");
  });

  it("has the text of its bytes alone", () => {
    expect(cidOf("raw", toUtf8("abc")).toString()).toBe(new Cid(fromHex(`01551220${HASH}`)).toString());
    expect(cidOf("raw", toUtf8("abc")).toString()).not.toBe(cidOf("dag-cbor", toUtf8("abc")).toString());
  });
});

describe("a CID that cannot be followed", () => {
  it.each([
    ["version 0", `1220${HASH}`],
    ["version 2", `02711220${HASH}`],
    ["an unknown codec", `01701220${HASH}`],
    ["another hash function", `01711320${HASH}`],
    ["another hash length", `0171121f${HASH}`],
    ["a short hash", `0171121f${HASH.slice(2)}`],
    ["a cut-off hash", `01711220${HASH.slice(2)}`],
    ["something after the hash", `01711220${HASH}00`],
    ["nothing", ""],
  ])("is one with %s", (_, hex) => {
    const cid = new Cid(fromHex(hex));
    expect([cid.codec, cid.sha256]).toEqual([undefined, undefined]);
  });
});

describe("base32", () => {
  it("is lower-case and unpadded", () => {
    expect(toBase32(toUtf8("foobar"))).toBe("mzxw6ytboi"); // RFC 4648 section 10
  });
});
