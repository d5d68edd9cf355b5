import { formatDateTime } from "../encoding/time.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import { signerStatus } from "../policy/standing.ts";
import type { Finding } from "./verdict.ts";

/**
 * Whether a signer's signatures count at this time (spec 5.2). Ineligible signers are not contacted either.
 *
 * @param now milliseconds since 1970
 * @returns undefined where they count, else why not
 */
export function ineligible(signer: TrustedSigner, now: number): Finding | undefined {
  const { did, validFrom = 0, expiresAt = 0 } = signer;
  switch (signerStatus(signer, now)) {
    case "trusted":
      return undefined;
    case "revoked":
      return { signer: did, code: "signer.revoked", detail: `the policy revokes ${did}` };
    case "not yet valid": {
      const detail = `${did} is not trusted before ${formatDateTime(validFrom)}`;
      return { signer: did, code: "signer.not_yet_valid", detail };
    }
    case "expired": {
      const detail = `${did} has not been trusted since ${formatDateTime(expiresAt)}`;
      return { signer: did, code: "signer.expired", detail };
    }
  }
}
