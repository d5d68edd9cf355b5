import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { concatBytes, fromBase58btc, toBase58btc } from "../encoding/bytes.ts";
import { sha256 } from "../encoding/sha256.ts";
import { type Curve, MULTICODEC, readMultikey } from "./did-key.ts";
import { DID_KEY } from "./syntax.ts";

/** A public key that ATProto signs with (https://atproto.com/specs/cryptography). */
export interface VerificationKey {
  readonly curve: Curve;
  /** 33 bytes, compressed; a point of the curve. */
  readonly publicKey: Uint8Array;
  /** `did:key:z…`, the one text for this key. */
  readonly didKey: string;
}

/** A key of p256 that can sign. */
export interface PrivateKey {
  readonly key: VerificationKey;
  /** @returns 64 bytes (r, s): ECDSA over SHA-256 of the message, deterministic (RFC 6979), low-S */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

const SIGNATURE_LENGTH = 64;
const CURVES = { k256: secp256k1, p256 } as const;

/**
 * Reads a did:key.
 *
 * @returns undefined if it is not a valid key of k256 or p256 in compressed form
 */
export function parseDidKey(text: string): VerificationKey | undefined {
  return text.startsWith(DID_KEY) ? parseMultikey(text.slice(DID_KEY.length)) : undefined;
}

/** Reads the `publicKeyMultibase` of a Multikey: multicodec and compressed point. */
export function parseMultikey(multibase: string): VerificationKey | undefined {
  const written = readMultikey(multibase);
  return written === undefined ? undefined : keyOf(written.curve, written.point);
}

/**
 * Reads the `publicKeyMultibase` of the two verification method types of 2019, which hold a point
 * without multicodec: compressed (33 bytes) or uncompressed (65 bytes).
 */
export function parseLegacyKey(type: string, multibase: string): VerificationKey | undefined {
  const point = fromBase58btc(multibase);
  if (point === undefined) return undefined;
  if (type === "EcdsaSecp256k1VerificationKey2019") return keyOf("k256", point);
  if (type === "EcdsaSecp256r1VerificationKey2019") return keyOf("p256", point);
  return undefined;
}

/**
 * Verifies an ECDSA signature over SHA-256 of `message`: 64 bytes (r, s), low-S only, so that one
 * message has one signature per key and nonce.
 *
 * @param signature attacker-controlled
 */
export function verifySignature(key: VerificationKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_LENGTH) return false;
  return CURVES[key.curve].verify(signature, sha256(message), key.publicKey, {
    prehash: false,
    lowS: true,
    format: "compact",
  });
}

/**
 * The key of p256 with this secret.
 *
 * @param secret 32 random bytes
 * @returns undefined where they are no scalar of the curve, which happens once in 2^32 times
 */
export function privateKey(secret: Uint8Array): PrivateKey | undefined {
  if (!p256.utils.isValidSecretKey(secret)) return undefined;
  const key = keyOf("p256", p256.getPublicKey(secret, true));
  const options = { prehash: false, lowS: true, format: "compact" } as const;
  return key && { key, sign: (message) => p256.sign(sha256(message), secret, options) };
}

function keyOf(curve: Curve, point: Uint8Array): VerificationKey | undefined {
  let publicKey: Uint8Array;
  try {
    publicKey = CURVES[curve].Point.fromBytes(point).toBytes(true);
  } catch {
    return undefined; // not a point of the curve
  }
  const didKey = DID_KEY + toBase58btc(concatBytes(MULTICODEC[curve], publicKey));
  return { curve, publicKey, didKey };
}
