import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import { sha256 as noble } from "@noble/hashes/sha2.js";
import { toHex } from "./bytes.ts";

/** What Bun has built in: the same functions, natively. */
interface BunHash {
  readonly SHA256: { hash(bytes: Uint8Array): Uint8Array; hash(bytes: Uint8Array, form: "hex"): string };
  readonly CryptoHasher: new (name: "sha256", key: Uint8Array) => Hasher;
}

interface Hasher {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/**
 * Bun's own where this runs in Bun, as the program does; noble's elsewhere, as in tests under Node.
 * The one thing of the host that the pure layers use, and pure functions: without just-in-time
 * compilation, noble takes 300 ms for the megabyte that Bun hashes in less than one, and whoever
 * serves us bytes would choose how many (docs/decisions/).
 */
const bun = (globalThis as { readonly Bun?: BunHash }).Bun;
const native = bun?.SHA256;

/** The 32 bytes of SHA-256. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return native === undefined ? noble(bytes) : native.hash(bytes);
}

/** The same as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return native === undefined ? toHex(noble(bytes)) : native.hash(bytes, "hex");
}

/** The 32 bytes of HMAC-SHA-256 (RFC 2104) of the parts, one after the other. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const hasher: Hasher = bun === undefined ? nobleHmac.create(noble, key) : new bun.CryptoHasher("sha256", key);
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}
