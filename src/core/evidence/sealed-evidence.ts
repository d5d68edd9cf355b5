import type { Did } from "../atproto/syntax.ts";
import type { Digest } from "../oci/digest.ts";
import { reject } from "../rejection.ts";
import { readBundle } from "./bundle.ts";
import { checkSeal } from "./bundle-seal.ts";
import { type BundledImage, imageIn } from "./bundled-image.ts";
import type { OutsideEvidence, OutsideIdentity } from "./outside.ts";

/** The evidence about one image in a sealed bundle that is attached to it. */
export interface SealedEvidence {
  readonly image: BundledImage;
  /** Of the bundle; milliseconds since 1970. */
  readonly gatheredAt: number;
  /** One for each signature. */
  readonly pieces: readonly OutsideEvidence[];
  /** The identities of a signer in the bundle, of other images too. */
  readonly identitiesOf: (signer: Did) => readonly OutsideIdentity[];
}

/**
 * Reads a bundle that is attached to an image. Anyone who may push can attach one, so it counts only if a key sealed it that
 * this node lists: there is no other witness.
 *
 * @param bytes attacker-controlled
 * @param digest of the image that it is attached to
 * @param keys did:key of the keys whose seals count
 * @throws Rejection bundle.malformed, bundle.bad_seal, bundle.not_accepted, input.digest_mismatch
 */
export function readSealedEvidence(bytes: Uint8Array, digest: Digest, keys: readonly string[]): SealedEvidence {
  const { bundle, seal } = readBundle(bytes);
  if (seal === undefined) reject("bundle.not_accepted", "it is not sealed, expected a seal by a key of bundleKeys");
  const key = checkSeal(seal, keys);
  if (key === undefined) {
    reject("bundle.not_accepted", `it is sealed by ${seal.key.didKey}, which bundleKeys does not list`);
  }
  const image = imageIn(bundle.images, digest);
  if (image === undefined) reject("input.digest_mismatch", `it has no evidence about ${digest}`);
  const { gatheredAt } = bundle;
  const witness = { kind: "seal", key, at: gatheredAt } as const;
  const { signatures, owner } = image.evidence;
  return {
    image,
    gatheredAt,
    pieces: signatures.map((signature) => ({ signature, witness, gatheredAt, ...(owner && { owner }) })),
    identitiesOf: (signer) =>
      bundle.images
        .flatMap(({ evidence }) => evidence.signatures)
        .filter((one) => one.signer === signer)
        .map(({ identity }) => ({ identity, witness })),
  };
}
