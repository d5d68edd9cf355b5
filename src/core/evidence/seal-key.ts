import { type PrivateKey, parseDidKey, privateKey } from "../atproto/key.ts";
import { fromBase58btc, toBase58btc } from "../encoding/bytes.ts";

/** Begins the line of a secret key, so that a file that holds one is recognised, also by scanners for leaked secrets. */
const SECRET = "atcr-verify-seal-key-p256:";

/** The text of the file of a secret key. @param secret 32 bytes, as {@link privateKey} takes them */
export function formatSealKey(secret: Uint8Array): string {
  return `${SECRET}${toBase58btc(secret)}\n`;
}

/**
 * Reads a file of a secret key.
 *
 * @returns undefined where it is none
 */
export function parseSealKey(text: string): PrivateKey | undefined {
  const line = oneLine(text);
  const secret = line?.startsWith(SECRET) === true ? fromBase58btc(line.slice(SECRET.length)) : undefined;
  return secret && privateKey(secret);
}

/** The text of the file of a public key. */
export function formatSealPublicKey({ key }: PrivateKey): string {
  return `${key.didKey}\n`;
}

/**
 * Reads a file of a public key: one line, a did:key.
 *
 * @returns the did:key; undefined where it is none
 */
export function parseSealPublicKey(text: string): string | undefined {
  return parseDidKey(oneLine(text) ?? "")?.didKey;
}

/** Whether the text is a secret key, where a public one belongs: the likeliest mistake. */
export function isSealSecret(text: string): boolean {
  return text.startsWith(SECRET);
}

function oneLine(text: string): string | undefined {
  const [line, ...rest] = text.trimEnd().split(/\r?\n/);
  return rest.length === 0 ? line : undefined;
}
