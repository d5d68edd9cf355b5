import { scryptSync } from "node:crypto";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { fromBase64, toUtf8 } from "../../core/encoding/bytes.ts";
import { field, isJsonObject, parseJson } from "../../core/encoding/json.ts";
import { reject } from "../../core/rejection.ts";

/** Bytes of a key and a nonce of NaCl's secretbox. */
const [KEY, NONCE] = [32, 24];
/** Bytes of memory that scrypt may take, 128·N·r: cosign's own keys take 64 MiB. Stops a file from taking all memory. */
const MAX_MEMORY = 256 * 1024 * 1024;
/** Of scrypt; cosign writes 1. Stops a file that would take minutes. */
const MAX_PARALLEL = 8;

/**
 * Decrypts a private key as cosign writes it (`ENCRYPTED SIGSTORE PRIVATE KEY`): JSON with the parameters of scrypt and a
 * secretbox of NaCl, XSalsa20-Poly1305 (secure-systems-lab/go-securesystemslib, encrypted/encrypted.go).
 *
 * @param bytes content of the PEM block
 * @param path for messages
 * @returns PKCS#8 in DER; undefined where the pass phrase is wrong
 * @throws Rejection input.malformed
 */
export function decryptSigstoreKey(bytes: Uint8Array, passphrase: string, path: string): Uint8Array | undefined {
  const not = (why: string): never => reject("input.malformed", `the key ${path} cannot be used: ${why}`);
  const value = parseJson(bytes, "input.malformed", `the content of the key ${path}`);
  const kdf = isJsonObject(value) ? field(value, "kdf") : undefined;
  const cipher = isJsonObject(value) ? field(value, "cipher") : undefined;
  const parameters = isJsonObject(kdf) ? field(kdf, "params") : undefined;
  if (!isJsonObject(value) || !isJsonObject(kdf) || !isJsonObject(cipher) || !isJsonObject(parameters)) {
    return not("its content has no kdf, params and cipher");
  }
  if (field(kdf, "name") !== "scrypt") not(`its kdf is ${JSON.stringify(field(kdf, "name"))}, expected "scrypt"`);
  if (field(cipher, "name") !== "nacl/secretbox") {
    not(`its cipher is ${JSON.stringify(field(cipher, "name"))}, expected "nacl/secretbox"`);
  }
  const [N, r, p] = ["N", "r", "p"].map((name) => field(parameters, name));
  const isWhole = (number: unknown): number is number => Number.isSafeInteger(number) && Number(number) > 0;
  if (!isWhole(N) || !isWhole(r) || !isWhole(p) || 128 * N * r > MAX_MEMORY || p > MAX_PARALLEL) {
    return not(
      `its scrypt parameters are N=${N}, r=${r}, p=${p}, expected 128*N*r at most ${MAX_MEMORY} and p at most 8`,
    );
  }
  const [salt, nonce, box] = [field(kdf, "salt"), field(cipher, "nonce"), field(value, "ciphertext")].map((text) =>
    typeof text === "string" ? fromBase64(text) : undefined,
  );
  if (salt === undefined || nonce?.length !== NONCE || box === undefined) {
    return not("its salt, nonce or ciphertext is not base64 of the right length");
  }
  const key = scryptSync(toUtf8(passphrase), salt, KEY, { N, r, p, maxmem: 2 * MAX_MEMORY });
  try {
    return xsalsa20poly1305(key, nonce).decrypt(box);
  } catch {
    return undefined;
  }
}
