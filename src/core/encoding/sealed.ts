import { fromUtf8, toUtf8 } from "./bytes.ts";
import { sha256Hex } from "./sha256.ts";

/** Hex digits of the hash before what is sealed. */
const SEAL = 64;

/**
 * A text with its hash before it. What is not whole, or not as it was written, is found out by {@link unseal}:
 * that is for damage alone, as whoever can write a file can seal it too.
 */
export function seal(text: string): Uint8Array {
  return toUtf8(`${sha256Hex(toUtf8(text))}${text}`);
}

/** @returns undefined where it is not as {@link seal} made it */
export function unseal(bytes: Uint8Array): string | undefined {
  const body = bytes.subarray(SEAL);
  return fromUtf8(bytes.subarray(0, SEAL)) === sha256Hex(body) ? fromUtf8(body) : undefined;
}
