import { formatDateTime } from "../encoding/time.ts";
import type { CountedSignature } from "./verdict.ts";

/**
 * What a signature for another verifier repeats of the verdict that it stands for (docs/vouching.md). Several signers are in
 * the order of the verdict, separated by commas; a signer without a handle has none there.
 *
 * @param signatures that count; at least one
 * @param now milliseconds since 1970
 */
export function vouchedClaims(signatures: readonly CountedSignature[], now: number): Readonly<Record<string, string>> {
  return {
    "atcr-verify.did": signatures.map(({ signer }) => signer).join(","),
    "atcr-verify.handle": signatures.map(({ handles: [handle = ""] }) => handle).join(","),
    "atcr-verify.rev": signatures.map(({ rev }) => rev).join(","),
    "atcr-verify.time": formatDateTime(now),
  };
}
