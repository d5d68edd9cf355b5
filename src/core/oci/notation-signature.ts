import { toBase64, toBase64url, toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { formatDateTime } from "../encoding/time.ts";
import { type ImageDescriptor, referrerManifest, type Stored, stored } from "./stored.ts";

/** Type of the artifact that is a signature for Notation (notaryproject, signature-specification.md, "Storage"). */
export const NOTATION_TYPE = "application/vnd.cncf.notary.signature";
const ENVELOPE_TYPE = "application/jose+json";
const PAYLOAD_TYPE = "application/vnd.cncf.notary.payload.v1+json";
const THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256";
const SCHEME = "io.cncf.notary.signingScheme";
const EXPIRY = "io.cncf.notary.expiry";

/** `alg` of the protected header (signature-envelope-jws.md, "Supported alg header values"). */
export type NotationAlgorithm = "ES256" | "ES384" | "ES512" | "PS256" | "PS384" | "PS512";

/** What a signature for Notation says. Times are milliseconds since 1970; fractions of a second are left out. */
export interface NotationClaims {
  readonly image: ImageDescriptor;
  /** Metadata of the signer, which `notation verify --user-metadata` compares. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly algorithm: NotationAlgorithm;
  readonly signedAt: number;
  readonly expiresAt: number;
}

/** The two parts of a JWS that are signed, in base64url. */
export interface NotationInput {
  readonly protected: string;
  readonly payload: string;
}

/** The protected header and the payload (signature-envelope-jws.md, "Protected Headers" and "JWS Payload"). */
export function notationInput({ image, metadata, algorithm, signedAt, expiresAt }: NotationClaims): {
  readonly input: NotationInput;
  /** As people can read it. */
  readonly payload: Uint8Array;
} {
  const { mediaType, digest, size } = image;
  const header = {
    alg: algorithm,
    cty: PAYLOAD_TYPE,
    [SCHEME]: "notary.x509",
    "io.cncf.notary.signingTime": formatDateTime(signedAt),
    [EXPIRY]: formatDateTime(expiresAt),
    crit: [SCHEME, EXPIRY],
  };
  const payload = utf8Json({ targetArtifact: { mediaType, digest, size, annotations: metadata } });
  return { input: { protected: toBase64url(utf8Json(header)), payload: toBase64url(payload) }, payload };
}

/** The bytes that are signed (RFC 7515, 5.1). */
export function notationSigningInput(input: NotationInput): Uint8Array {
  return toUtf8(`${input.protected}.${input.payload}`);
}

/**
 * The envelope in JWS JSON serialisation.
 *
 * @param signature as RFC 7518 writes it: r and s, or RSASSA-PSS
 * @param chain certificates in DER, that of the key first and the root last
 */
export function notationEnvelope(
  input: NotationInput,
  signature: Uint8Array,
  chain: readonly Uint8Array[],
  agent: string,
): Stored {
  const envelope = {
    payload: input.payload,
    protected: input.protected,
    header: { x5c: chain.map(toBase64), "io.cncf.notary.signingAgent": agent },
    signature: toBase64url(signature),
  };
  return stored(ENVELOPE_TYPE, utf8Json(envelope));
}

/** The manifest that refers to the image; registries repeat its annotations in lists of referrers. */
export function notationManifest(
  image: ImageDescriptor,
  envelope: Stored,
  chain: readonly Uint8Array[],
  signedAt: number,
): Stored {
  return referrerManifest(NOTATION_TYPE, envelope, image, {
    [THUMBPRINTS]: JSON.stringify(chain.map((der) => sha256Hex(der))),
    "org.opencontainers.image.created": formatDateTime(signedAt),
  });
}

function utf8Json(value: object): Uint8Array {
  return toUtf8(JSON.stringify(value));
}
