import type { BundledImage } from "../../src/core/evidence/bundled-image.ts";
import type { SignatureEvidence } from "../../src/core/evidence/evidence.ts";
import { type BundleProof, ProvenIdentities, provenOf } from "../../src/core/verify/bundle-proof.ts";
import { DIGEST, imageOf } from "./evidence.ts";

export const ATCR = ["atcr.io"];

/** A bundle's image with this evidence, gathered for a name. */
export function bundled(
  signatures: readonly SignatureEvidence[],
  names: readonly string[] = ["registry.example/team/app"],
  digest = DIGEST,
): BundledImage {
  return { ...imageOf({ signatures }, digest), names };
}

/** The evidence as if it was gathered then. */
export function gatheredAt(at: number, { signer, identity, record, tag }: SignatureEvidence): SignatureEvidence {
  const dated = <T extends object>(part: T) => ({ ...part, fetchedAt: at });
  return {
    signer,
    identity: dated(identity),
    ...(record && { record: dated(record) }),
    ...(tag && { tag: dated(tag) }),
  };
}

export function proofsOf(image: BundledImage, identities = new ProvenIdentities()): readonly BundleProof[] {
  return [...provenOf(image, ATCR, identities)];
}

/** The one proof in it. */
export function proofOf(signature: SignatureEvidence, names?: readonly string[]): BundleProof {
  const [proof] = proofsOf(bundled([signature], names));
  if (proof === undefined) throw new Error("nothing was proven");
  return proof;
}
