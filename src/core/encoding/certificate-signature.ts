import { BIT_STRING, dotted, first, OBJECT_IDENTIFIER, only, SEQUENCE } from "./der.ts";

/** By name, those that sign a SHA-1 (RFC 3279, 2.2; sha1WithRSASignature of OIW is read by BoringSSL too). */
const SHA1: ReadonlySet<string> = new Set([
  "1.2.840.113549.1.1.5",
  "1.3.14.3.2.29",
  "1.2.840.10045.4.1",
  "1.2.840.10040.4.3",
]);

/** Whether a signature algorithm uses SHA-1, for which collisions are known. @param algorithm dotted */
export function isSha1(algorithm: string): boolean {
  return SHA1.has(algorithm);
}

/**
 * The algorithm by which a certificate was signed: Certificate.signatureAlgorithm (RFC 5280, 4.1.1.2), read as strict
 * DER (X.690): shortest lengths, nothing left over.
 *
 * @param der attacker-controlled
 * @returns the object identifier, dotted; undefined where these bytes are not a certificate
 */
export function signatureAlgorithm(der: Uint8Array): string | undefined {
  const certificate = only(der, SEQUENCE);
  const toBeSigned = certificate && first(certificate, SEQUENCE);
  const algorithm = toBeSigned && first(toBeSigned.rest, SEQUENCE);
  const signature = algorithm && only(algorithm.rest, BIT_STRING);
  // What follows the identifier in it are its parameters.
  const identifier = signature && first(algorithm.content, OBJECT_IDENTIFIER);
  return identifier && dotted(identifier.content);
}
