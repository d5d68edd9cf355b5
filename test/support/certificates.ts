import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { isIPv6 } from "node:net";
import {
  BOOLEAN_TRUE,
  bitString,
  distinguishedName,
  extension,
  generalName,
  oid,
  sequence,
  time,
  tlv,
} from "./written-der.ts";

/** What a TLS server needs, both in PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** DNS names and IP addresses, distinguished by their form. */
  readonly names: readonly string[];
  /** Milliseconds since 1970; default an hour ago. */
  readonly notBefore?: number;
  /** Milliseconds since 1970; default in 30 days. */
  readonly notAfter?: number;
  /** Of the signature on it; default sha256. */
  readonly hash?: Hash;
  /** Of its own key; default P-256. */
  readonly key?: KeyKind;
  /** extKeyUsage, as dotted identifiers; default serverAuth; empty: no such extension. */
  readonly purposes?: readonly string[];
  /** Whether keyUsage is critical; default yes. */
  readonly isUsageCritical?: boolean;
  /** Whether it is that of an authority; default not. */
  readonly isCa?: true;
  /** Bits of the first byte of keyUsage; default digitalSignature. */
  readonly keyUsage?: number;
  /** Omits the subject and authority key identifiers: the issuer is then found by name only. */
  readonly withoutKeyIdentifiers?: true;
}

/** What an authority's certificate says of its key. */
type Authority = "good" | "no authority" | "may not sign certificates" | "not critical" | "none below";
type AuthorityOptions = Pick<CertificateOptions, "hash" | "key"> & { readonly extensions?: Authority };
const AUTHORITY = "good";

export type KeyKind = "P-256" | "P-384" | "P-521" | "RSA";
type Hash = "sha256" | "sha1";
/** Relative distinguished names, in order; the keys of {@link ATTRIBUTES}. */
export type Name = Readonly<Record<string, string>>;

const HOUR = 3_600_000;

/**
 * A certificate authority that lives as long as the test: P-256 keys, X.509 v3 certificates (RFC 5280)
 * written out in DER here, because Node can sign but not build them and a machine may lack openssl.
 */
export class CertificateAuthority {
  /** PEM; for SSL_CERT_FILE or a client's `ca`. */
  readonly cert: string;
  readonly #name: Buffer;
  readonly #pair: Pair;

  /** @param issuer of an intermediate one; absent: it signs itself */
  constructor(
    name: string | Name = "Test CA",
    issuer?: CertificateAuthority,
    { hash = "sha256", key = "P-256", extensions = AUTHORITY }: AuthorityOptions = {},
  ) {
    this.#name = distinguishedName(name);
    this.#pair = keyPair(key);
    const by = issuer ?? this;
    const now = Date.now();
    this.cert = certificate({
      issuer: by.#name,
      issuerKey: by.#pair,
      hash,
      subject: this.#name,
      subjectKey: this.#pair.publicKey,
      notBefore: now - HOUR,
      notAfter: now + 30 * 24 * HOUR,
      extensions: AUTHORITY_EXTENSIONS[extensions](),
    });
  }

  /** A server certificate for these names; expired or not yet valid if the dates say so. */
  issue(options: CertificateOptions): TlsIdentity {
    return identity(options, { name: this.#name, pair: this.#pair });
  }
}

/** A certificate that its own key signed. */
export function selfSigned(options: CertificateOptions): TlsIdentity {
  return identity(options);
}

/** @param issuer absent: it signs itself */
function identity(options: CertificateOptions, issuer?: { readonly name: Buffer; readonly pair: Pair }): TlsIdentity {
  const { hash = "sha256", key = "P-256", keyUsage = 0b1000_0000, purposes = [SERVER_AUTH], isCa } = options;
  const pair = keyPair(key);
  const now = Date.now();
  const subject = distinguishedName(options.names[0] ?? "nobody");
  const cert = certificate({
    issuer: issuer?.name ?? subject,
    issuerKey: issuer?.pair ?? pair,
    hash,
    withoutKeyIdentifiers: options.withoutKeyIdentifiers === true,
    subject,
    subjectKey: pair.publicKey,
    notBefore: options.notBefore ?? now - HOUR,
    notAfter: options.notAfter ?? now + 30 * 24 * HOUR,
    extensions: [
      extension("2.5.29.19", true, sequence(...(isCa ? [BOOLEAN_TRUE] : []))), // basicConstraints
      extension("2.5.29.15", options.isUsageCritical ?? true, bitString(keyUsage)), // keyUsage
      ...(purposes.length === 0 ? [] : [extension("2.5.29.37", false, sequence(...purposes.map(oid)))]), // extKeyUsage
      extension("2.5.29.17", false, sequence(...options.names.map(generalName))), // subjectAltName
    ],
  });
  return { cert, key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

/** basicConstraints and keyUsage; a function each, as what they are made of comes later in this file. */
const AUTHORITY_EXTENSIONS: Readonly<Record<Authority, () => Buffer[]>> = {
  good: () => authority(),
  "no authority": () => authority(true, []),
  "may not sign certificates": () => authority(true, [BOOLEAN_TRUE], 0b0000_0010),
  "not critical": () => authority(false),
  "none below": () => authority(true, [BOOLEAN_TRUE, tlv(0x02, Buffer.of(0))]),
};

function authority(
  critical = true,
  constraints: readonly Uint8Array[] = [BOOLEAN_TRUE],
  keyUsage = 0b0000_0110,
): Buffer[] {
  return [
    extension("2.5.29.19", critical, sequence(...constraints)),
    extension("2.5.29.15", true, bitString(keyUsage)), // keyCertSign, cRLSign
  ];
}

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
/** For certificates that sign images. */
export const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";

/** An address as in a URL: IPv6 in brackets. */
export function addressInUrl(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface CertificateParts {
  readonly issuer: Buffer;
  readonly issuerKey: Pair;
  readonly subject: Buffer;
  readonly subjectKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: readonly Buffer[];
  readonly hash: Hash;
  readonly withoutKeyIdentifiers?: boolean;
}

function keyPair(kind: KeyKind): Pair {
  return kind === "RSA"
    ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : generateKeyPairSync("ec", { namedCurve: kind });
}

/** By kind of key and hash: ecdsa-with-SHA256, …; those of RSA have a parameter, NULL. */
function signatureAlgorithm({ asymmetricKeyType }: KeyObject, hash: Hash): Buffer {
  if (asymmetricKeyType === "ec") return sequence(oid(hash === "sha1" ? "1.2.840.10045.4.1" : "1.2.840.10045.4.3.2"));
  return sequence(oid(hash === "sha1" ? "1.2.840.113549.1.1.5" : "1.2.840.113549.1.1.11"), tlv(0x05));
}

function certificate(parts: CertificateParts): string {
  const algorithm = signatureAlgorithm(parts.issuerKey.privateKey, parts.hash);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive, and no leading zero to strip
  const identifiers = [
    extension("2.5.29.14", false, tlv(0x04, keyIdentifier(parts.subjectKey))), // subjectKeyIdentifier
    extension("2.5.29.35", false, sequence(tlv(0x80, keyIdentifier(parts.issuerKey.publicKey)))), // authority…
  ];
  const extensions = [...parts.extensions, ...(parts.withoutKeyIdentifiers === true ? [] : identifiers)];
  const toBeSigned = sequence(
    tlv(0xa0, tlv(0x02, Buffer.of(2))), // version 3
    tlv(0x02, serial),
    algorithm,
    parts.issuer,
    sequence(time(parts.notBefore), time(parts.notAfter)),
    parts.subject,
    publicKeyInfo(parts.subjectKey),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = sign(parts.hash, toBeSigned, { key: parts.issuerKey.privateKey, dsaEncoding: "der" });
  const der = sequence(toBeSigned, algorithm, tlv(0x03, Buffer.concat([Buffer.of(0), signature])));
  return new X509Certificate(der).toString();
}

function publicKeyInfo(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash("sha1").update(publicKeyInfo(key)).digest();
}
