import type { SigningKey } from "./signing-key.ts";

/**
 * The forms of verification methods found in the wild:
 *   multikey         `did#atproto`, Multikey
 *   fragment         `#atproto`, Multikey
 *   legacy           `#atproto`, Ecdsa…VerificationKey2019, 65 bytes without multicodec
 *   legacy-compressed  the same with 33 bytes
 */
export type DocumentForm = "multikey" | "fragment" | "legacy" | "legacy-compressed";

export interface DocumentParts {
  readonly did: string;
  /** Without `at://`; the first is the account's handle. */
  readonly handles?: readonly string[];
  /** None: a document without a verification method. */
  readonly key?: SigningKey;
  /** Origin of the PDS; none: a document without a service. */
  readonly pds?: string;
  readonly form?: DocumentForm;
}

const SUITE = { k256: "secp256k1-2019", p256: "ecdsa-2019" };

/** A DID document as the reference directory and PDS write it. A plain object: tests may edit it. */
export function didDocument(parts: DocumentParts): Record<string, unknown> {
  const { did, key, pds, form = "multikey" } = parts;
  const context = ["https://www.w3.org/ns/did/v1"];
  if (!form.startsWith("legacy")) context.push("https://w3id.org/security/multikey/v1");
  if (key !== undefined) context.push(`https://w3id.org/security/suites/${SUITE[key.curve]}/v1`);
  return {
    "@context": context,
    id: did,
    alsoKnownAs: (parts.handles ?? []).map((handle) => `at://${handle}`),
    verificationMethod: key === undefined ? [] : [verificationMethod(did, key, form)],
    service: pds === undefined ? [] : [{ id: "#atproto_pds", type: "AtprotoPersonalDataServer", serviceEndpoint: pds }],
  };
}

/** The `#atproto` verification method of this key. */
export function verificationMethod(did: string, key: SigningKey, form: DocumentForm): Record<string, string> {
  if (form === "multikey" || form === "fragment") {
    const id = form === "multikey" ? `${did}#atproto` : "#atproto";
    return { id, type: "Multikey", controller: did, publicKeyMultibase: key.multikey() };
  }
  return {
    id: "#atproto",
    type: key.curve === "k256" ? "EcdsaSecp256k1VerificationKey2019" : "EcdsaSecp256r1VerificationKey2019",
    controller: did,
    publicKeyMultibase: key.legacyMultibase(form === "legacy" ? "uncompressed" : "compressed"),
  };
}
