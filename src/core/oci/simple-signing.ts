import { concatBytes, toBase64, toUtf8 } from "../encoding/bytes.ts";
import { isJsonObject, type JsonObject } from "../encoding/json.ts";
import type { Digest } from "./digest.ts";

/** What a signature in the form of containers/image and cosign says (containers/image, containers-signature(5)). */
export interface SimpleSigning {
  readonly digest: Digest;
  /** Name of the image, `HOST/PATH`, with a tag where the signature is of that tag. */
  readonly reference: string;
  /** Further claims, which verifiers ignore. */
  readonly optional: JsonObject;
}

export const SIMPLE_SIGNING_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
/** Annotation of the layer or of the lookaside's body that holds the signature in base64. */
export const SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature";

/** The bytes that are signed: JSON with its keys in order, so that the same claims are the same bytes. */
export function simpleSigningPayload({ digest, reference, optional }: SimpleSigning): Uint8Array {
  const critical = {
    identity: { "docker-reference": reference },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
  };
  return toUtf8(JSON.stringify({ critical, optional: inOrder(optional) }));
}

/**
 * The file that a lookaside server answers with (containers/image, signature-protocols.md; its blob format for
 * sigstore): a zero byte, the format's name, a line feed and JSON.
 *
 * @param signature ASN.1 DER of ECDSA P-256 with SHA-256
 */
export function lookasideSignature(payload: Uint8Array, signature: Uint8Array): Uint8Array {
  const body = {
    mimeType: SIMPLE_SIGNING_TYPE,
    payload: toBase64(payload),
    annotations: { [SIGNATURE_ANNOTATION]: toBase64(signature) },
  };
  return concatBytes(Uint8Array.of(0), toUtf8(`sigstore-json\n${JSON.stringify(body)}`));
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, inOrder(value[key])]),
  );
}
