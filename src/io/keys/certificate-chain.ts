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
/** `openssl req -x509` makes that of an authority otherwise. */
const REMEDY = "make it with -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature";

/** When a signature counts; milliseconds since 1970. */
interface Period {
  readonly from: number;
  readonly until: number;
}

interface Certificate {
  readonly parsed: X509Certificate;
  readonly der: Uint8Array;
  readonly uses: CertificateUses;
  /** `certificate 1 of F ("CN=…")` */
  readonly name: string;
}

/**
 * Reads the certificates for a signature of Notation, and checks them as its specification demands of signers and verifiers
 * (notaryproject, signature-specification.md, "Certificate Requirements").
 *
 * @param publicKey of the key that signs, in DER
 * @param signed when the signature is made, and when it ends; milliseconds since 1970
 * @returns the certificates in DER: that of the key first, the root last
 * @throws Rejection input.malformed with everything that is wrong with the first certificate that cannot be used
 */
export function readSigningChain(path: string, publicKey: Uint8Array, signed: Period): readonly Uint8Array[] {
  const chain = readChain(path);
  const [leaf] = chain;
  if (leaf === undefined) return reject("input.malformed", `the file ${path} has no PEM certificate`);
  if (!equalBytes(new Uint8Array(leaf.parsed.publicKey.export({ type: "spki", format: "der" })), publicKey)) {
    bad(leaf, "its key is not the one that signs; the certificate of the key must be the first of the file");
  }
  for (const [i, certificate] of chain.entries()) {
    const faults = [
      issuerFault(certificate, chain[i + 1], i === 0),
      i === 0 ? leafFault(certificate) : authorityFault(certificate, i - 1),
      timeFault(certificate, signed),
    ].filter((fault) => fault !== undefined);
    if (faults.length > 0) bad(certificate, faults.join("; also, "));
  }
  return chain.map(({ der }) => der);
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

function timeFault({ parsed }: Certificate, { from, until }: Period): string | undefined {
  const [begins, ends] = [parsed.validFromDate.getTime(), parsed.validToDate.getTime()];
  if (!(begins <= from && from <= ends)) {
    return `it is valid from ${formatDateTime(begins)} to ${formatDateTime(ends)}, and it is ${formatDateTime(from)}`;
  }
  if (until <= ends) return undefined;
  return `it ends at ${formatDateTime(ends)}, before the signature would by --expires (${formatDateTime(until)})`;
}

function issuerFault(
  { parsed, der }: Certificate,
  issuer: Certificate | undefined,
  isLeaf: boolean,
): string | undefined {
  if (isSha1(signatureAlgorithm(der) ?? "")) return "it is signed with SHA-1, which Notation refuses";
  const isSelfSigned = parsed.issuer === parsed.subject && parsed.verify(parsed.publicKey);
  if (issuer === undefined) {
    return isSelfSigned ? undefined : "it is the last one and not self-signed; append its issuers up to the root";
  }
  if (isSelfSigned) return `it is self-signed, and others follow${isLeaf ? "; name it alone" : ""}`;
  const isIssued = parsed.issuer === issuer.parsed.subject && parsed.verify(issuer.parsed.publicKey);
  return isIssued ? undefined : "it was not issued by the certificate that follows it";
}

function leafFault({ uses }: Certificate): string | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage = [] } = uses;
  if (basicConstraints?.isCa === true) return `it is that of an authority (cA), which may not sign images; ${REMEDY}`;
  if (keyUsage?.isCritical !== true) {
    return `it has no critical keyUsage; Notation needs digitalSignature there; ${REMEDY}`;
  }
  if (!keyUsage.uses.includes("digitalSignature")) return `its keyUsage lacks digitalSignature; ${REMEDY}`;
  const other = keyUsage.uses.find((use) => !ALLOWED_USES.has(use));
  if (other !== undefined) return `its keyUsage has ${other}, expected digitalSignature only; ${REMEDY}`;
  const excluded = extendedKeyUsage.find((purpose) => EXCLUDED.has(purpose));
  if (excluded === undefined) return undefined;
  return `its extendedKeyUsage has ${EXCLUDED.get(excluded)}, expected codeSigning or no such extension`;
}

/** @param below how many authorities are below it */
function authorityFault({ uses: { basicConstraints, keyUsage } }: Certificate, below: number): string | undefined {
  if (basicConstraints?.isCa !== true || !basicConstraints.isCritical) {
    return "it is not that of an authority: its basicConstraints must be critical and say cA";
  }
  const { pathLength } = basicConstraints;
  if (pathLength !== undefined && pathLength < below) {
    return `its pathLenConstraint is ${pathLength}, and ${below} authorities are below it`;
  }
  const maySign = keyUsage?.isCritical === true && keyUsage.uses.includes("keyCertSign");
  return maySign ? undefined : "its keyUsage must be critical and have keyCertSign";
}

function bad({ name }: Certificate, why: string): never {
  return reject("input.malformed", `${name} cannot be used: ${why}`);
}
