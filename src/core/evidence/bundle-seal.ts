import { type PrivateKey, parseDidKey, type VerificationKey, verifySignature } from "../atproto/key.ts";
import { concatBytes, fromBase64, toBase64, toUtf8 } from "../encoding/bytes.ts";
import type { JsonObject } from "../encoding/json.ts";
import { sha256 } from "../encoding/sha256.ts";
import { reject } from "../rejection.ts";
import { malformed, object, text } from "./evidence-json.ts";

/** A signature over a whole bundle by those who gathered it. */
export interface BundleSeal {
  readonly key: VerificationKey;
  /** ECDSA over SHA-256 of `signedHash`; 64 bytes, low-S. */
  readonly signature: Uint8Array;
  /** What is signed: the domain, and SHA-256 of everything after the bundle's first line. */
  readonly signedHash: Uint8Array;
}

/** Begins what is signed, so that no signature for another purpose is a seal, nor the reverse. */
const DOMAIN = "atcr-verify evidence bundle seal 2\0";

/** @param body everything after the bundle's first line break */
export function signedHash(body: Uint8Array): Uint8Array {
  return concatBytes(toUtf8(DOMAIN), sha256(body));
}

export function sealOf({ key, sign }: PrivateKey, body: Uint8Array): Omit<BundleSeal, "signedHash"> {
  return { key, signature: sign(signedHash(body)) };
}

/**
 * Checks a seal.
 *
 * @param keys did:key of the keys whose seals count, as `bundleKeys` lists them
 * @returns the did:key; undefined where the seal is right, but by another key
 * @throws Rejection bundle.bad_seal where the signature is not the key's, whichever key it is
 */
export function checkSeal(
  { key, signature, signedHash: message }: BundleSeal,
  keys: readonly string[],
): string | undefined {
  if (!verifySignature(key, message, signature)) {
    const advice = "the file was changed after it was sealed, or damaged: fetch or copy it again";
    reject("bundle.bad_seal", `the bundle's seal is not a signature of ${key.didKey} over its content; ${advice}`);
  }
  return keys.includes(key.didKey) ? key.didKey : undefined;
}

export function sealToJson({ key, signature }: Omit<BundleSeal, "signedHash">): JsonObject {
  return { key: key.didKey, signature: toBase64(signature) };
}

/** @throws Rejection bundle.malformed */
export function sealFromJson(value: unknown): Omit<BundleSeal, "signedHash"> {
  const seal = object(value, "the seal", ["key", "signature"]);
  const key = parseDidKey(text(seal, "key", "the seal"));
  const signature = fromBase64(text(seal, "signature", "the seal"));
  if (key === undefined) malformed("key of the seal is not a did:key of p256 or k256");
  if (signature === undefined) malformed("signature of the seal is not base64");
  return { key, signature };
}
