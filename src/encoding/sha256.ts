import { sha256 as noble } from "@noble/hashes/sha2.js";

/** The 32 bytes of SHA-256. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return noble(bytes);
}
