import type { Did, Tid } from "../../src/core/atproto/syntax.ts";
import { concatBytes, toBase58btc, toUtf8 } from "../../src/core/encoding/bytes.ts";
import { cidOf } from "../../src/core/encoding/cid.ts";
import { sha256 } from "../../src/core/encoding/sha256.ts";
import { tid } from "./signed-repo.ts";

export const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz" as Did;

/** The TID of this time, in milliseconds since 1970. */
export function tidAt(time: number): Tid {
  return tid(time * 1000) as Tid;
}

/** The text of an operation's CID, one for each salt. */
export function operationCid(salt: string): string {
  return cidOf("dag-cbor", toUtf8(salt)).toString();
}

/** A well-formed did:key, one for each salt; it need not be on the curve. */
export function writtenKey(salt: string): string {
  return `did:key:${toBase58btc(concatBytes(Uint8Array.of(0xe7, 0x01, 0x02), sha256(toUtf8(salt))))}`;
}
