import { formatDateTime } from "../encoding/time.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import type { Finding } from "./verdict.ts";

/**
 * Whether a signer's word counts at this time (spec 5.2). One whose word does not count is not
 * asked for it either.
 *
 * @param now milliseconds since 1970
 * @returns undefined where it counts, else why not
 */
export function ineligible(signer: TrustedSigner, now: number): Finding | undefined {
  const { did, revoked, validFrom, expiresAt } = signer;
  if (revoked) return { signer: did, code: "signer.revoked", detail: `the policy revokes ${did}` };
  if (validFrom !== undefined && now < validFrom) {
    const detail = `${did} is trusted only from ${formatDateTime(validFrom)} on`;
    return { signer: did, code: "signer.not_yet_valid", detail };
  }
  if (expiresAt !== undefined && now >= expiresAt) {
    return { signer: did, code: "signer.expired", detail: `${did} is trusted only until ${formatDateTime(expiresAt)}` };
  }
  return undefined;
}
