import type { Did } from "../atproto/syntax.ts";
import type { BundledImage } from "../evidence/bundled-image.ts";
import type { OwnerAnswer, SignatureEvidence } from "../evidence/evidence.ts";
import type { Digest } from "../oci/digest.ts";
import { type BundleProof, type ProvenIdentities, provenOf } from "./bundle-proof.ts";
import { compareLogs, isNewerProof, questionOfProof } from "./newest-proofs.ts";

/**
 * Merges the images of bundles: each digest once, with all its names, and of each question the newest answer, a no
 * included. All evidence of a signer gets their newest log. What proves nothing stays only where the signer has nothing
 * better for the digest. Yields after each signature, so that the caller can check the clock.
 *
 * @param images as untrusted as the network
 * @param atcrHosts hosts whose names are `HANDLE/REPOSITORY`
 */
export function* mergedImages(
  images: readonly BundledImage[],
  atcrHosts: readonly string[],
  identities: ProvenIdentities,
): Generator<BundleProof, readonly BundledImage[]> {
  const newest = new Map<string, BundleProof>();
  for (const image of images) {
    for (const proof of provenOf(image, atcrHosts, identities)) {
      // What proves nothing answers no question: it must not take the place of what does.
      const question = `${questionOfProof(proof)} ${proof.kind === "unproven"}`;
      const there = newest.get(question);
      if (there === undefined || isNewerProof(proof, there)) newest.set(question, proof);
      yield proof;
    }
  }
  const proofs = [...newest.values()];
  const logs = newestLogs(proofs);
  const digests = [...new Set(images.map(({ digest }) => digest))];
  return digests.map((digest) => merged(digest, images, proofs, logs));
}

function merged(
  digest: Digest,
  images: readonly BundledImage[],
  proofs: readonly BundleProof[],
  logs: ReadonlyMap<Did, BundleProof>,
): BundledImage {
  const same = images.filter((image) => image.digest === digest);
  const own = proofs.filter((proof) => proof.digest === digest);
  const isProven = (signer: Did) => own.some((proof) => proof.signer === signer && proof.kind !== "unproven");
  const kept = own.filter(({ kind, signer }) => kind !== "unproven" || !isProven(signer));
  const owner = newestOwner(same.flatMap(({ evidence }) => (evidence.owner === undefined ? [] : [evidence.owner])));
  return {
    digest,
    names: [...new Set(same.flatMap(({ names }) => names))].toSorted(),
    evidence: {
      pointers: unique(same.flatMap(({ evidence }) => evidence.pointers)),
      signatures: kept.map((proof) => withNewestLog(proof, logs)),
      gaps: unique(same.flatMap(({ evidence }) => evidence.gaps)),
      ...(owner && { owner }),
    },
  };
}

/** The newest log of each signer; of the same log the one that was gathered last. */
function newestLogs(proofs: readonly BundleProof[]): ReadonlyMap<Did, BundleProof> {
  const logs = new Map<Did, BundleProof>();
  for (const proof of proofs.filter(({ isIdentified }) => isIdentified)) {
    const there = logs.get(proof.signer);
    if (there === undefined || isNewerLog(proof, there)) logs.set(proof.signer, proof);
  }
  return logs;
}

function isNewerLog(a: BundleProof, b: BundleProof): boolean {
  const compared = compareLogs(a.operations, b.operations);
  const isLater = a.signature.identity.fetchedAt > b.signature.identity.fetchedAt;
  return compared === "newer" || (compared === "same" && isLater);
}

/** Of two logs that each lack something of the other, both stay with their evidence: a node refuses one of them. */
function withNewestLog(proof: BundleProof, logs: ReadonlyMap<Did, BundleProof>): SignatureEvidence {
  const newest = logs.get(proof.signer);
  const replaces = newest !== undefined && isNewerLog(newest, proof);
  return replaces ? { ...proof.signature, identity: newest.signature.identity } : proof.signature;
}

function newestOwner(owners: readonly OwnerAnswer[]): OwnerAnswer | undefined {
  return owners.toSorted((a, b) => b.fetchedAt - a.fetchedAt)[0];
}

function unique<T>(entries: readonly T[]): readonly T[] {
  return [...new Map(entries.map((entry) => [JSON.stringify(entry), entry])).values()];
}
