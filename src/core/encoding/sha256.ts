import { sha256 as noble } from "@noble/hashes/sha2.js";
import { toHex } from "./bytes.ts";

/** What Bun has built in: the same function, natively. */
interface BunHash {
  readonly SHA256: { hash(bytes: Uint8Array): Uint8Array; hash(bytes: Uint8Array, form: "hex"): string };
}

/**
 * Bun's own where this runs in Bun, as the program does; noble's elsewhere, as in tests under Node.
 * The one thing of the host that the pure layers use, and a pure function: without just-in-time
 * compilation, noble takes 300 ms for the megabyte that Bun hashes in less than one, and whoever
 * serves us bytes would choose how many (docs/decisions/).
 */
const native = (globalThis as { readonly Bun?: BunHash }).Bun?.SHA256;

/** The 32 bytes of SHA-256. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return native === undefined ? noble(bytes) : native.hash(bytes);
}

/** The same as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return native === undefined ? toHex(noble(bytes)) : native.hash(bytes, "hex");
}
