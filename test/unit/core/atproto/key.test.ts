import { describe, expect, it } from "vitest";
import { parseDidKey, parseLegacyKey, parseMultikey, verifySignature } from "../../../../src/core/atproto/key.ts";
import { concatBytes, toBase58btc, toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { type Curve, signingKey } from "../../../support/signing-key.ts";

const CURVES: readonly Curve[] = ["k256", "p256"];
const MULTICODEC = { k256: Uint8Array.of(0xe7, 0x01), p256: Uint8Array.of(0x80, 0x24) };
const LEGACY = { k256: "EcdsaSecp256k1VerificationKey2019", p256: "EcdsaSecp256r1VerificationKey2019" };
const other = { k256: "p256", p256: "k256" } as const;

/** A point with an x that belongs to no point of the curve: found by trying, for both parities. */
function notOnCurve(curve: Curve): Uint8Array {
  for (let x = 1; ; x++) {
    const point = Uint8Array.of(2, ...new Uint8Array(31), x);
    if (parseLegacyKey(LEGACY[curve], toBase58btc(point)) === undefined) return point;
  }
}

describe.each(CURVES)("a %s key", (curve) => {
  const key = signingKey(curve, "key");
  const multikey = (bytes: Uint8Array) => toBase58btc(concatBytes(MULTICODEC[curve], bytes));

  it("is read from a did:key and from a Multikey", () => {
    const expected = { curve, publicKey: Uint8Array.from(key.compressed()), didKey: key.did() };
    expect(parseDidKey(key.did())).toEqual(expected);
    expect(parseMultikey(key.multikey())).toEqual(expected);
  });

  it("is the same key in both legacy forms", () => {
    expect(parseLegacyKey(LEGACY[curve], key.legacyMultibase("compressed"))).toEqual(parseDidKey(key.did()));
    expect(parseLegacyKey(LEGACY[curve], key.legacyMultibase("uncompressed"))).toEqual(parseDidKey(key.did()));
  });

  it("is not a did:key in any other text", () => {
    const didKey = key.did();
    for (const text of [
      "",
      key.multikey(),
      didKey.replace("did:key:", "did:kex:"),
      didKey.toUpperCase(),
      `${didKey}#atproto`,
      `${didKey} `,
      didKey.slice(0, -1),
      didKey.replace(":z", ":f"),
      didKey.replace(":z", ":"),
      "did:key:z",
      "did:key:",
    ]) {
      expect(parseDidKey(text)).toBeUndefined();
    }
  });

  it("is not a Multikey in other than compressed form", () => {
    expect(parseMultikey(multikey(key.uncompressed()))).toBeUndefined();
    expect(parseMultikey(multikey(key.compressed().subarray(1)))).toBeUndefined();
    expect(parseMultikey(multikey(concatBytes(key.compressed(), Uint8Array.of(0))))).toBeUndefined();
    expect(parseMultikey(key.legacyMultibase("compressed"))).toBeUndefined();
    expect(parseMultikey(multikey(new Uint8Array()))).toBeUndefined();
  });

  it("is not one of another multicodec", () => {
    for (const multicodec of [
      [0xed, 0x01], // ed25519
      [MULTICODEC[curve][0] ?? 0, 0x02],
      [0x01, MULTICODEC[curve][1] ?? 0],
    ]) {
      expect(parseMultikey(toBase58btc(Uint8Array.of(...multicodec, ...key.compressed())))).toBeUndefined();
    }
  });

  it("is a point of its curve", () => {
    expect(parseMultikey(multikey(notOnCurve(curve)))).toBeUndefined();
    expect(parseMultikey(multikey(new Uint8Array(33)))).toBeUndefined();
    expect(parseMultikey(multikey(Uint8Array.of(2, ...new Uint8Array(32).fill(0xff))))).toBeUndefined();
    const hybrid = Uint8Array.of(6 + ((key.uncompressed().at(-1) ?? 0) & 1), ...key.uncompressed().subarray(1));
    const moved = Uint8Array.from(key.uncompressed());
    moved[64] = (moved[64] ?? 0) ^ 1;
    for (const point of [hybrid, moved, Uint8Array.of(0), new Uint8Array(65), key.uncompressed().subarray(1)]) {
      expect(parseLegacyKey(LEGACY[curve], toBase58btc(point))).toBeUndefined();
    }
  });

  it("is no legacy key of another type or base", () => {
    const compressed = key.legacyMultibase("compressed");
    expect(parseLegacyKey("Multikey", compressed)).toBeUndefined();
    expect(parseLegacyKey("Ed25519VerificationKey2020", compressed)).toBeUndefined();
    expect(parseLegacyKey("", compressed)).toBeUndefined();
    expect(parseLegacyKey(LEGACY[curve], key.multikey())).toBeUndefined();
    expect(parseLegacyKey(LEGACY[curve], compressed.slice(1))).toBeUndefined();
    expect(parseLegacyKey(LEGACY[other[curve]], key.legacyMultibase("uncompressed"))).toBeUndefined();
  });
});

describe.each(CURVES)("a signature by a %s key", (curve) => {
  const message = toUtf8("message");
  const key = signingKey(curve, "signer");
  const verifies = (signature: Uint8Array, text = message, signer = key) => {
    const parsed = parseDidKey(signer.did());
    if (parsed === undefined) throw new Error("no key");
    return verifySignature(parsed, text, signature);
  };

  it("verifies over SHA-256 of the message", async () => {
    for (const text of ["", "message", "x".repeat(1000)]) {
      expect(verifies(await key.sign(toUtf8(text)), toUtf8(text))).toBe(true);
    }
  });

  it("verifies for this message and this key alone", async () => {
    const signature = await key.sign(message);
    expect(verifies(signature, toUtf8("message."))).toBe(false);
    expect(verifies(signature, message, signingKey(curve, "another"))).toBe(false);
    expect(verifies(signature, message, signingKey(other[curve], "signer"))).toBe(false);
  });

  it("is refused with a high S", async () => {
    expect(verifies(await key.signHighS(message))).toBe(false);
  });

  it("is refused in DER", async () => {
    expect(verifies(await key.signDer(message))).toBe(false);
  });

  it("is refused in any other length, without an error", async () => {
    const signature = await key.sign(message);
    for (const length of [0, 1, 32, 63]) expect(verifies(signature.subarray(0, length))).toBe(false);
    expect(verifies(concatBytes(signature, Uint8Array.of(0)))).toBe(false);
    expect(verifies(concatBytes(signature, signature))).toBe(false);
  });

  it("is refused with numbers outside of their range, without an error", async () => {
    const signature = await key.sign(message);
    const [zero, ones] = [new Uint8Array(32), new Uint8Array(32).fill(0xff)];
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
    for (const [a, b] of [
      [zero, s],
      [r, zero],
      [zero, zero],
      [ones, s],
      [r, ones],
    ] as const) {
      expect(verifies(concatBytes(a, b))).toBe(false);
    }
  });
});
