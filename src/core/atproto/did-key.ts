import { fromBase58btc } from "../encoding/bytes.ts";
import { DID_KEY } from "./syntax.ts";

/** The curves that ATProto signs with (https://atproto.com/specs/cryptography). */
export type Curve = "k256" | "p256";

/** A key as written; key.ts checks that the point is on the curve. */
export interface WrittenKey {
  readonly curve: Curve;
  /** 33 bytes, compressed. */
  readonly point: Uint8Array;
}

const POINT_LENGTH = 33;
/** Prefix of a point that names its curve (multicodec, as varint). */
export const MULTICODEC: Readonly<Record<Curve, Uint8Array>> = {
  k256: Uint8Array.of(0xe7, 0x01),
  p256: Uint8Array.of(0x80, 0x24),
};

/**
 * Reads the `publicKeyMultibase` of a Multikey: multicodec and compressed point.
 *
 * @returns undefined for another curve, form or length
 */
export function readMultikey(multibase: string): WrittenKey | undefined {
  const bytes = fromBase58btc(multibase);
  const curve = (["k256", "p256"] as const).find((name) => MULTICODEC[name].every((byte, i) => bytes?.[i] === byte));
  if (bytes === undefined || curve === undefined) return undefined;
  const point = bytes.subarray(MULTICODEC[curve].length);
  return point.length === POINT_LENGTH ? { curve, point } : undefined;
}

/** Whether `text` is written as a did:key of k256 or p256. */
export function isDidKey(text: string): boolean {
  return text.startsWith(DID_KEY) && readMultikey(text.slice(DID_KEY.length)) !== undefined;
}
