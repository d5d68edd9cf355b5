import { type Identity, proveIdentity } from "../atproto/identity.ts";
import { proveRecord } from "../atproto/record-proof.ts";
import { tidTime } from "../atproto/syntax.ts";
import type { Digest } from "../oci/digest.ts";
import { Rejection, reject } from "../rejection.ts";
import { readClaim, recordPath } from "./claim.ts";
import type { SignatureEvidence } from "./evidence.ts";
import type { Attempt, SignatureFacts } from "./verdict.ts";

/**
 * Turns one signature's bytes into facts that hold whatever the policy says and whatever time it is
 * (spec 5.1, 5.3 to 5.6).
 *
 * @param identity what {@link proveIdentity} made of `signature.identity`, where the caller needed
 * it before (to find the PDS); proven here otherwise
 * @throws Rejection with the first check that fails; `record.absent` where the absence is proven
 */
export function prove(
  digest: Digest,
  signature: SignatureEvidence,
  identity: Identity = proveIdentity(signature.signer, signature.identity.bytes),
): SignatureFacts {
  if (identity.did !== signature.signer) throw new Error("the identity given is another signer's");
  if (signature.record === undefined) reject("pds.unreachable", `there is no proof from the PDS of ${identity.did}`);
  const { rev, value } = proveRecord(identity, signature.record.bytes, recordPath(digest));
  if (value === undefined)
    reject("record.absent", `the repo of ${identity.did} holds no record of ${digest} (rev ${rev})`);
  return {
    signer: identity.did,
    digest,
    key: identity.key.didKey,
    pds: identity.pds,
    rev,
    revTime: tidTime(rev),
    claim: readClaim(digest, value),
  };
}

/** {@link prove}, with a failed check as a finding. This is the one place that catches it. */
export function attempt(digest: Digest, signature: SignatureEvidence, identity?: Identity): Attempt {
  try {
    return { facts: prove(digest, signature, identity) };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const { signer } = signature;
    return { signer, finding: { signer, code: error.code, detail: error.message } };
  }
}
