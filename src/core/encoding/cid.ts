import { base32 } from "multiformats/bases/base32";
import { concatBytes } from "./bytes.ts";
import { sha256 } from "./sha256.ts";

/** What a block's bytes are: DAG-CBOR or anything (ATProto uses no other codecs). */
export type Codec = "dag-cbor" | "raw";

const CODECS: Readonly<Record<Codec, number>> = { "dag-cbor": 0x71, raw: 0x55 };
const CID_V1 = 1;
const SHA2_256 = 0x12;
const HASH_LENGTH = 32;
/** Bytes of every CID that is followed: version, codec, hash function, hash length, hash. */
export const CID_LENGTH = 4 + HASH_LENGTH;

/**
 * A content identifier, stored as bytes. A CID that is not followed (another record's link) may have any form; one that is
 * followed must be version 1, DAG-CBOR or raw, SHA-256.
 */
export class Cid {
  readonly bytes: Uint8Array;
  #text: string | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Multibase base32 text (`bafy…`), also usable as a map key: one text for given bytes. */
  toString(): string {
    this.#text ??= base32.encode(this.bytes);
    return this.#text;
  }

  /** The codec if this CID is one that can be followed, else undefined. */
  get codec(): Codec | undefined {
    const [version, codec, hash, length] = this.bytes;
    if (this.bytes.length !== CID_LENGTH || version !== CID_V1 || hash !== SHA2_256 || length !== HASH_LENGTH) {
      return undefined;
    }
    if (codec === CODECS["dag-cbor"]) return "dag-cbor";
    return codec === CODECS.raw ? "raw" : undefined;
  }

  /** The 32 bytes of SHA-256 of a CID that can be followed. */
  get sha256(): Uint8Array | undefined {
    return this.codec === undefined ? undefined : this.bytes.subarray(4);
  }
}

/** The CID of a block with these bytes. */
export function cidOf(codec: Codec, bytes: Uint8Array): Cid {
  return new Cid(concatBytes(Uint8Array.of(CID_V1, CODECS[codec], SHA2_256, HASH_LENGTH), sha256(bytes)));
}

/** Base32 in lower case without padding or prefix, as did:plc is built from a hash. */
export function toBase32(bytes: Uint8Array): string {
  return base32.baseEncode(bytes);
}
