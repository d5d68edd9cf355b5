import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { fromBase64 } from "../../core/encoding/bytes.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import { readSecretFile } from "../fs/secret-file.ts";

/** Names of NIST's curves as OpenSSL has them. */
const CURVES: ReadonlyMap<string, EcName> = new Map([
  ["prime256v1", "P-256"],
  ["secp384r1", "P-384"],
  ["secp521r1", "P-521"],
]);
const MIN_RSA_BITS = 2048;
/** Bounds the time of a signature. */
const MAX_RSA_BITS = 8192;
/** RSASSA-PSS by the number of node:crypto, RSA_PKCS1_PSS_PADDING. */
const PSS = 6;
/** PEM as RFC 7468, section 2: one block and nothing else but white space. */
const PEM = /^\s*-----BEGIN ([A-Z ]{1,64})-----\r?\n((?:(?!-----)[A-Za-z0-9+/=:,.\r\n -])+)-----END \1-----\s*$/;
const SIGSTORE: ReadonlySet<string> = new Set(["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"]);
const PLAIN: ReadonlySet<string> = new Set(["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"]);
const ENCRYPTED = "ENCRYPTED PRIVATE KEY";
const NOT_A_KEY =
  "it is not one PEM block of a private key; expected PRIVATE KEY, EC PRIVATE KEY, RSA PRIVATE KEY, ENCRYPTED PRIVATE KEY or ENCRYPTED SIGSTORE PRIVATE KEY";

type EcName = "P-256" | "P-384" | "P-521";
export type Hash = "sha256" | "sha384" | "sha512";
/** Encodings of a signature: ASN.1 DER or PKCS#1 v1.5, as cosign has them; or r and s, or RSASSA-PSS, as JWS has them. */
export type SignatureForm = "cosign" | "jws";

/** A private key, which stays in this object. */
export interface SigningKey {
  readonly kind: { readonly curve: EcName } | { readonly rsaBits: number };
  /** The public key in DER (SubjectPublicKeyInfo). */
  readonly publicKey: Uint8Array;
  /** A signature, which was verified with the public key. @throws Error where it does not verify */
  sign(bytes: Uint8Array, hash: Hash, form: SignatureForm): Uint8Array;
}

/** Where a pass phrase comes from. */
export interface Passphrase {
  /** --passphrase-file */
  readonly file?: string | undefined;
  /** The variable COSIGN_PASSWORD. */
  readonly variable?: string | undefined;
}

/**
 * Reads a private key: ECDSA on P-256, P-384 or P-521, or RSA, in PEM (PKCS#8, SEC1, PKCS#1), which may be encrypted PKCS#8
 * or a key of cosign. The file must be regular, of the running user, with mode 0600 or 0400.
 *
 * @throws Rejection input.malformed
 */
export async function readSigningKey(path: string, passphrase: Passphrase): Promise<SigningKey> {
  const text = readSecretFile(path, "the key");
  const [, label = "", body = ""] = PEM.exec(text) ?? [];
  const not = (why: string, cause?: unknown): never =>
    reject("input.malformed", `the key ${path} cannot be used: ${why}`, cause);
  const isEncrypted = SIGSTORE.has(label) || label === ENCRYPTED;
  if (!isEncrypted && !PLAIN.has(label)) not(NOT_A_KEY);
  if (!isEncrypted && body.includes("ENCRYPTED")) {
    not("it is encrypted in OpenSSL's old form; convert it: openssl pkcs8 -topk8 -in KEY -out NEW");
  }
  const secret = isEncrypted ? readPassphrase(passphrase, path) : undefined;
  try {
    if (!SIGSTORE.has(label)) {
      return signingKey(
        createPrivateKey({ key: text, format: "pem", ...(secret !== undefined && { passphrase: secret }) }),
        path,
      );
    }
    const { decryptSigstoreKey } = await import("./sigstore-key.ts");
    const content = fromBase64(body.replace(/[\r\n]/g, "")) ?? not(NOT_A_KEY);
    const der = decryptSigstoreKey(content, secret ?? "", path) ?? not(WRONG);
    return signingKey(createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" }), path);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    // The library's own words may quote the file.
    return not(isEncrypted ? WRONG : "its content is not a private key that can be read");
  }
}

const WRONG = "the pass phrase is wrong, or its content is damaged";

function readPassphrase({ file, variable }: Passphrase, path: string): string {
  if (file !== undefined) return readSecretFile(file, "the pass phrase").replace(/\r?\n$/, "");
  if (variable !== undefined) return variable;
  return reject(
    "input.malformed",
    `the key ${path} is encrypted; name its pass phrase's file by --passphrase-file, or set the variable COSIGN_PASSWORD`,
  );
}

function signingKey(key: KeyObject, path: string): SigningKey {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const curve = CURVES.get(details?.namedCurve ?? "");
  const bits = details?.modulusLength ?? 0;
  if (type === "ec" ? curve === undefined : type !== "rsa" || bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    const found = type === "rsa" ? `RSA with ${bits} bits` : `${type} ${details?.namedCurve ?? ""}`.trim();
    const expected = `ECDSA on P-256, P-384 or P-521, or RSA with ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`;
    reject("input.malformed", `the key ${path} cannot be used: it is ${found}, expected ${expected}`);
  }
  const publicKey = createPublicKey(key);
  return {
    kind: curve === undefined ? { rsaBits: bits } : { curve },
    publicKey: new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
    sign: (bytes, hash, form) => {
      const made = sign(hash, bytes, { key, ...options(form, curve !== undefined, hash) });
      // A fault in the computation of a signature can reveal the key.
      if (!verify(hash, bytes, { key: publicKey, ...options(form, curve !== undefined, hash) }, made)) {
        throw new Error("a signature that was just made does not verify");
      }
      return new Uint8Array(made);
    },
  };
}

function options(form: SignatureForm, isEc: boolean, hash: Hash) {
  if (isEc) return { dsaEncoding: form === "jws" ? "ieee-p1363" : "der" } as const;
  // The salt is as long as the hash (RFC 7518, 3.5).
  return form === "jws" ? { padding: PSS, saltLength: Number(hash.slice("sha".length)) / 8 } : {};
}
