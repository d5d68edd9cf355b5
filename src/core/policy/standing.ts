import type { TrustedSigner } from "./policy.ts";

/** Whether a signer's signatures count at a time (spec 5.2). */
export type SignerStatus = "trusted" | "revoked" | "not yet valid" | "expired";

/** @param now milliseconds since 1970 */
export function signerStatus({ revoked, validFrom, expiresAt }: TrustedSigner, now: number): SignerStatus {
  if (revoked) return "revoked";
  if (validFrom !== undefined && now < validFrom) return "not yet valid";
  return expiresAt !== undefined && now >= expiresAt ? "expired" : "trusted";
}

/** Whether a signer's signatures count now or later. */
export function isCurrentOrFuture(signer: TrustedSigner, now: number): boolean {
  const standing = signerStatus(signer, now);
  return standing === "trusted" || standing === "not yet valid";
}
