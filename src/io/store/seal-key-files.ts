import { closeSync, fsyncSync, lstatSync, openSync, rmSync, writeSync } from "node:fs";
import { type PrivateKey, privateKey } from "../../core/atproto/key.ts";
import {
  formatSealKey,
  formatSealPublicKey,
  isSealSecret,
  parseSealKey,
  parseSealPublicKey,
} from "../../core/evidence/seal-key.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import type { Warn } from "../../core/warning.ts";
import { readTrustedFile } from "../fs/local-file.ts";
import { readSecretFile } from "../fs/secret-file.ts";

/** Bytes of a secret of p256. */
const SECRET = 32;
/** Random secrets that are tried: all but one in 2^32 are usable. Stops an endless loop over a broken generator. */
const MAX_TRIES = 16;

/**
 * Makes a key that seals bundles: `path` with the secret (mode 0600), and `path.pub` with the public key. Neither may
 * exist.
 *
 * @returns the did:key
 * @throws Rejection input.malformed
 */
export function makeSealKey(path: string): string {
  const secret = randomSecret();
  const made: string[] = [];
  try {
    for (const taken of [path, `${path}.pub`]) {
      // Of a link, too, whose target would be written otherwise.
      if (lstatSync(taken, { throwIfNoEntry: false }))
        reject("input.malformed", `${taken} exists, and a key is never overwritten; name another file`);
    }
    const write = (name: string, text: string, mode: number) => {
      const file = openSync(name, "wx", mode);
      made.push(name);
      try {
        writeSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    };
    write(path, formatSealKey(secret.bytes), 0o600);
    write(`${path}.pub`, formatSealPublicKey(secret.key), 0o644);
    return secret.key.key.didKey;
  } catch (error) {
    for (const name of made) rmSync(name, { force: true });
    if (error instanceof Rejection) throw error;
    return reject("input.malformed", `the key ${path} cannot be made: ${(error as Error).message}`, error);
  }
}

/**
 * Reads a secret key that was named on the command line. Nobody else may be able to read it.
 *
 * @throws Rejection input.malformed
 */
export function readSealKey(path: string): PrivateKey {
  const not = (why: string): never => reject("input.malformed", `the key ${path} cannot be used: ${why}`);
  const text = readSecretFile(path, "the key", "anybody's");
  if (parseSealPublicKey(text) !== undefined) not("it is a public key; name the file without .pub");
  return parseSealKey(text) ?? not(NO_KEY);
}

const NO_KEY = 'it is not a secret key that "atcr-verify bundle keygen" made';

/**
 * Reads the public keys of `bundleKeys`. They decide about trust, so nobody else may be able to change the files.
 *
 * @returns the did:key of each
 * @throws Rejection config.invalid
 */
export function readBundleKeys(paths: readonly string[]): readonly string[] {
  return paths.map((path) => {
    const text = readTrustedFile({ path, code: "config.invalid", what: "the key of bundleKeys" });
    if (text === undefined) reject("config.invalid", `the key of bundleKeys ${path} does not exist`);
    const advice = isSealSecret(text)
      ? "it is a secret key, which must stay with who seals; name the file .pub"
      : "expected one line with a did:key, as in the .pub file of a key";
    return (
      parseSealPublicKey(text) ??
      reject("config.invalid", `the key of bundleKeys ${path} is not a public key: ${advice}`)
    );
  });
}

/**
 * As {@link readBundleKeys} at a pull, where a key that cannot be used is one whose seals do not count: what was imported
 * still counts from the import.
 *
 * @param warn of `bundles.unusable`
 */
export function usableBundleKeys(paths: readonly string[], warn: Warn): readonly string[] {
  return paths.flatMap((path) => {
    try {
      return readBundleKeys([path]);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      warn({ code: "bundles.unusable", message: `${error.message}: its seals do not count` });
      return [];
    }
  });
}

function randomSecret(): { readonly bytes: Uint8Array; readonly key: PrivateKey } {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const bytes = crypto.getRandomValues(new Uint8Array(SECRET));
    const key = privateKey(bytes);
    if (key !== undefined) return { bytes, key };
  }
  throw new Error(`${MAX_TRIES} random numbers in a row are no secrets of p256`);
}
