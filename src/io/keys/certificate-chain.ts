import { X509Certificate } from "node:crypto";
import { equalBytes } from "../../core/encoding/bytes.ts";
import { type CertificateUses, certificateUses } from "../../core/encoding/certificate-extensions.ts";
import { isSha1, signatureAlgorithm } from "../../core/encoding/certificate-signature.ts";
import { findCertificates } from "../../core/encoding/pem.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import { reject } from "../../core/rejection.ts";
import { readRegularFile } from "../fs/regular-file.ts";

/** Bytes of the file. */
const MAX_CHAIN_FILE = 256 * 1024;
/** Certificates of a chain; stops a bundle of all authorities from being pushed. */
const MAX_CHAIN = 8;
/** Purposes that a certificate for signing must not have (notaryproject, signature-specification.md; notation-core-go). */
const EXCLUDED: ReadonlyMap<string, string> = new Map([
  ["2.5.29.37.0", "anyExtendedKeyUsage"],
  ["1.3.6.1.5.5.7.3.1", "serverAuth"],
  ["1.3.6.1.5.5.7.3.2", "clientAuth"],
  ["1.3.6.1.5.5.7.3.4", "emailProtection"],
  ["1.3.6.1.5.5.7.3.8", "timeStamping"],
  ["1.3.6.1.5.5.7.3.9", "OCSPSigning"],
]);
/** Besides digitalSignature, the one use that a leaf may have. */
const ALLOWED_USES: ReadonlySet<string> = new Set(["digitalSignature", "nonRepudiation"]);

interface Certificate {
  readonly parsed: X509Certificate;
  readonly der: Uint8Array;
  readonly uses: CertificateUses;
  /** `certificate 1 of F ("CN=…")` */
  readonly name: string;
}

/** A chain that may sign for Notation. */
export interface SigningChain {
  /** In DER: that of the key first, the root last. */
  readonly certificates: readonly Uint8Array[];
  /** When the first of them ends; milliseconds since 1970. */
  readonly endsAt: number;
}

/**
 * Reads the certificates for a signature of Notation, and checks them as its specification demands of signers and verifiers
 * (notaryproject, signature-specification.md, "Certificate Requirements").
 *
 * @param publicKey of the key that signs, in DER
 * @param now milliseconds since 1970
 * @throws Rejection input.malformed
 */
export function readSigningChain(path: string, publicKey: Uint8Array, now: number): SigningChain {
  const chain = readChain(path);
  const [leaf] = chain;
  if (leaf === undefined) return reject("input.malformed", `the file ${path} has no PEM certificate`);
  if (!equalBytes(new Uint8Array(leaf.parsed.publicKey.export({ type: "spki", format: "der" })), publicKey)) {
    bad(leaf, "its key is not the one that signs; the certificate of the key must be the first of the file");
  }
  for (const [i, certificate] of chain.entries()) {
    checkTime(certificate, now);
    checkIssuer(certificate, chain[i + 1], i === 0);
    if (i === 0) checkLeaf(certificate);
    else checkAuthority(certificate, i - 1);
  }
  const endsAt = Math.min(...chain.map(({ parsed }) => parsed.validToDate.getTime()));
  return { certificates: chain.map(({ der }) => der), endsAt };
}

function readChain(path: string): readonly Certificate[] {
  const text = readRegularFile(path, MAX_CHAIN_FILE);
  if (typeof text !== "string") return reject("input.malformed", `the certificate ${path} cannot be read: ${text.why}`);
  const found = findCertificates(text);
  if (found.length > MAX_CHAIN) {
    reject(
      "input.malformed",
      `the file ${path} has ${found.length} certificates, expected one chain of at most ${MAX_CHAIN}`,
    );
  }
  return found.map(({ pem }, i) => {
    const where = `certificate ${i + 1} of ${path}`;
    const parsed = pem === undefined ? undefined : parsedOf(pem);
    const der = parsed && new Uint8Array(parsed.raw);
    const uses = der && certificateUses(der);
    if (parsed === undefined || der === undefined || uses === undefined) {
      return reject("input.malformed", `${where} cannot be read`);
    }
    return { parsed, der, uses, name: `${where} (${JSON.stringify(parsed.subject.replaceAll("\n", ", "))})` };
  });
}

function parsedOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function checkTime(certificate: Certificate, now: number): void {
  const { validFromDate, validToDate } = certificate.parsed;
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
  if (!(from <= now && now <= to)) {
    bad(
      certificate,
      `it is valid from ${formatDateTime(from)} to ${formatDateTime(to)}, and it is ${formatDateTime(now)}`,
    );
  }
}

function checkIssuer(certificate: Certificate, issuer: Certificate | undefined, isLeaf: boolean): void {
  const { parsed, der } = certificate;
  if (isSha1(signatureAlgorithm(der) ?? "")) bad(certificate, "it is signed with SHA-1, which Notation refuses");
  const isSelfSigned = parsed.issuer === parsed.subject && parsed.verify(parsed.publicKey);
  if (issuer === undefined) {
    if (!isSelfSigned) bad(certificate, "it is the last one and not self-signed; append its issuers up to the root");
    return;
  }
  if (isSelfSigned) bad(certificate, `it is self-signed, and others follow${isLeaf ? "; name it alone" : ""}`);
  if (parsed.issuer !== issuer.parsed.subject || !parsed.verify(issuer.parsed.publicKey)) {
    bad(certificate, "it was not issued by the certificate that follows it");
  }
}

function checkLeaf(leaf: Certificate): void {
  const { basicConstraints, keyUsage, extendedKeyUsage = [] } = leaf.uses;
  if (basicConstraints?.isCa === true) bad(leaf, "it is that of an authority (cA), which may not sign images");
  if (keyUsage?.isCritical !== true) bad(leaf, "it has no critical keyUsage; Notation needs digitalSignature there");
  if (keyUsage?.uses.includes("digitalSignature") !== true) bad(leaf, "its keyUsage lacks digitalSignature");
  const other = keyUsage?.uses.find((use) => !ALLOWED_USES.has(use));
  if (other !== undefined) bad(leaf, `its keyUsage has ${other}, expected digitalSignature only`);
  const excluded = extendedKeyUsage.find((purpose) => EXCLUDED.has(purpose));
  if (excluded !== undefined) {
    bad(leaf, `its extendedKeyUsage has ${EXCLUDED.get(excluded)}, expected codeSigning or no such extension`);
  }
}

/** @param below how many authorities are below it */
function checkAuthority(certificate: Certificate, below: number): void {
  const { basicConstraints, keyUsage } = certificate.uses;
  if (basicConstraints?.isCa !== true || !basicConstraints.isCritical) {
    bad(certificate, "it is not that of an authority: its basicConstraints must be critical and say cA");
  }
  const { pathLength } = basicConstraints ?? {};
  if (pathLength !== undefined && pathLength < below) {
    bad(certificate, `its pathLenConstraint is ${pathLength}, and ${below} authorities are below it`);
  }
  if (keyUsage?.isCritical !== true || !keyUsage.uses.includes("keyCertSign")) {
    bad(certificate, "its keyUsage must be critical and have keyCertSign");
  }
}

function bad({ name }: Certificate, why: string): never {
  return reject("input.malformed", `${name} cannot be used: ${why}`);
}
