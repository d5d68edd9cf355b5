import type { Subject } from "../../core/evidence/evidence.ts";
import { addCosignSignature, cosignLayer, cosignTag, hasCosignSignature } from "../../core/oci/cosign-signatures.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { listReferrer, listsAllOf } from "../../core/oci/fallback-index.ts";
import {
  type NotationAlgorithm,
  notationEnvelope,
  notationInput,
  notationManifest,
  notationSigningInput,
} from "../../core/oci/notation-signature.ts";
import { ACCEPT_INDEX, fallbackTag } from "../../core/oci/referrers.ts";
import { simpleSigningPayload } from "../../core/oci/simple-signing.ts";
import { EMPTY_CONFIG, type ImageDescriptor, MANIFEST_TYPE, type Stored } from "../../core/oci/stored.ts";
import { reject } from "../../core/rejection.ts";
import type { CountedSignature } from "../../core/verify/verdict.ts";
import { vouchedClaims } from "../../core/verify/vouched-claims.ts";
import type { Hash, SigningKey } from "../../io/keys/signing-key-file.ts";
import { answered, type RegistryContext } from "../collect/context.ts";
import { type ImagePlace, openImage } from "../push/image-place.ts";
import { rewriteTag } from "../push/rewrite-tag.ts";
import { pushBlob, pushManifest } from "../push/store-content.ts";

/** What signs for Cosign, or for Notation. */
export type Voucher =
  | { readonly format: "cosign"; readonly key: SigningKey }
  | {
      readonly format: "notation";
      readonly key: SigningKey;
      readonly algorithm: NotationAlgorithm;
      /** Certificates in DER: that of the key first, the root last. */
      readonly certificates: readonly Uint8Array[];
      /** Milliseconds for which each signature counts. */
      readonly lifetime: number;
      /** Names this program in the envelope, unsigned. */
      readonly agent: string;
    };

/** An image that counts as signed, and by which signatures. */
export interface SignedImage {
  readonly subject: Subject;
  readonly signatures: readonly CountedSignature[];
}

/** A signature that was made and not pushed yet. */
export interface Vouch {
  readonly subject: Subject;
  readonly place: ImagePlace;
  readonly claims: Readonly<Record<string, string>>;
  /** The text that was signed, as people can read it. */
  readonly payload: Uint8Array;
  readonly made:
    | { readonly format: "cosign"; readonly tag: string; readonly layer: Stored }
    | {
        readonly format: "notation";
        readonly envelope: Stored;
        readonly manifest: Stored;
        /** Milliseconds since 1970. */
        readonly expiresAt: number;
      };
}

/** What was pushed. */
export interface Pushed {
  readonly manifest: Digest;
  /** The tag where it is found; absent where the registry lists it itself. */
  readonly tag?: string;
}

/** Algorithms by curves and sizes of keys (notaryproject, signature-specification.md, "Algorithm Selection"). */
const NOTATION_ALGORITHMS: ReadonlyMap<string | number, NotationAlgorithm> = new Map<
  string | number,
  NotationAlgorithm
>([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
  [2048, "PS256"],
  [3072, "PS384"],
  [4096, "PS512"],
]);

/** @throws Rejection input.malformed where Notation has no algorithm for the key */
export function notationAlgorithm({ kind }: SigningKey): NotationAlgorithm {
  const found = NOTATION_ALGORITHMS.get("curve" in kind ? kind.curve : kind.rsaBits);
  if (found !== undefined) return found;
  const is = "curve" in kind ? kind.curve : `RSA with ${kind.rsaBits} bits`;
  return reject("input.malformed", `the key is ${is}; for Notation RSA has 2048, 3072 or 4096 bits`);
}

/**
 * Signs an image's digest, and pushes nothing. The registry is asked for the image, whose type and size Notation signs too.
 *
 * @param actions what the registry's token is asked for: `pull` where nothing will be pushed
 * @param now milliseconds since 1970
 * @throws Rejection registry.*, net.*
 */
export async function makeVouch(
  { subject, signatures }: SignedImage,
  voucher: Voucher,
  context: RegistryContext,
  actions: "pull" | "pull,push",
  now: number,
): Promise<Vouch> {
  const place = await answered(openImage(subject, context, actions));
  const claims = vouchedClaims(signatures, now);
  return { subject, place, claims, ...signed(subject, place.image, claims, voucher, now) };
}

function signed(
  { name: { host, path }, digest }: Subject,
  image: ImageDescriptor,
  claims: Readonly<Record<string, string>>,
  voucher: Voucher,
  now: number,
): Pick<Vouch, "payload" | "made"> {
  const { key } = voucher;
  if (voucher.format === "cosign") {
    const payload = simpleSigningPayload({ digest, reference: `${host}/${path}`, optional: claims });
    // Cosign verifies with SHA-256, whatever the curve.
    const layer = cosignLayer(payload, key.sign(payload, "sha256", "cosign"));
    return { payload, made: { format: "cosign", tag: cosignTag(digest), layer } };
  }
  const { algorithm, certificates, lifetime, agent } = voucher;
  const expiresAt = now + lifetime;
  const { input, payload } = notationInput({ image, metadata: claims, algorithm, signedAt: now, expiresAt });
  const hash = `sha${algorithm.slice("ES".length)}` as Hash;
  const signature = key.sign(notationSigningInput(input), hash, "jws");
  const envelope = notationEnvelope(input, signature, certificates, agent);
  const manifest = notationManifest(image, envelope, certificates, now);
  return { payload, made: { format: "notation", envelope, manifest, expiresAt } };
}

/**
 * Pushes a signature. Signatures that are there already stay.
 *
 * @throws Rejection registry.*, net.*
 */
export async function pushVouch(vouch: Vouch): Promise<Pushed> {
  return answered(push(vouch));
}

async function push({ subject: { digest }, place: { client }, made }: Vouch): Promise<Pushed> {
  if (made.format === "cosign") {
    const { layer, tag } = made;
    await pushBlob(client, layer);
    let manifest = layer.descriptor.digest;
    await rewriteTag(client, {
      tag,
      image: digest,
      accept: MANIFEST_TYPE,
      change: async (before) => {
        const signatures = addCosignSignature(before, layer);
        await pushBlob(client, signatures.config);
        manifest = signatures.manifest.descriptor.digest;
        return signatures.manifest;
      },
      holds: (after) => hasCosignSignature(after, layer),
    });
    return { manifest, tag };
  }
  const { envelope, manifest } = made;
  await pushBlob(client, EMPTY_CONFIG);
  await pushBlob(client, envelope);
  const own = manifest.descriptor.digest;
  const stored = await pushManifest(client, own, manifest);
  if (stored?.response.headers.has("oci-subject") === true) return { manifest: own };
  const tag = fallbackTag(digest);
  const change = (before: Uint8Array | undefined): Stored => listReferrer(before, manifest.descriptor);
  await rewriteTag(client, { tag, image: digest, accept: ACCEPT_INDEX, change, holds: listsAllOf });
  return { manifest: own, tag };
}
