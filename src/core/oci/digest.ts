import { reject } from "../rejection.ts";

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}` & { readonly __brand: "Digest" };

/** The form of a digest. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` is a digest this program works with. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/**
 * Reads a digest (spec 1.2). Only sha256: ATCR's records support no other.
 *
 * @param text attacker-controlled
 * @param where named in the message: `-digest`, `the descriptor on stdin`, …
 * @throws Rejection input.unsupported_digest
 */
export function parseDigest(text: string, where: string): Digest {
  if (!isDigest(text)) {
    reject("input.unsupported_digest", `${where} is "${text}", expected sha256: and 64 lower-case hex digits`);
  }
  return text;
}

/** The 64 hex digits, which are also the record key of ATCR's record (spec 3.5). */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}
