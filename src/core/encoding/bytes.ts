import { base58btc } from "multiformats/bases/base58";
import { base64pad, base64url } from "multiformats/bases/base64";

const HEX = "0123456789abcdef";
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += `${HEX[byte >> 4]}${HEX[byte & 15]}`;
  return text;
}

/** @param text pairs of hex digits, checked by the caller */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Whether both hold the same bytes. Not constant-time: nothing compared here is secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytewise order: negative, 0 or positive, as for Array.sort. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function toUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text, or undefined where the bytes are not well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Strict base64url as PLC operations use it (spec 5.1): unpadded, pad bits zero, no other
 * characters. Exactly one text stands for given bytes.
 */
export function fromBase64url(text: string): Uint8Array | undefined {
  return strictly(text, base64url.baseEncode, (value) => base64url.baseDecode(value));
}

/** Unpadded base64url (RFC 4648 section 5), as in JWS. */
export function toBase64url(bytes: Uint8Array): string {
  return base64url.baseEncode(bytes);
}

/**
 * The engine's own base64 (ECMAScript 2026) if available, as in Bun; else that of multiformats, as in tests under Node.
 * Without just-in-time compilation the latter takes hundreds of milliseconds for the largest proof.
 */
const native = Uint8Array as unknown as {
  readonly fromBase64?: (text: string) => Uint8Array;
  readonly prototype: { readonly toBase64?: (this: Uint8Array) => string };
};

/** Strict padded base64 (RFC 4648 section 4), as used in bundles. */
export function fromBase64(text: string): Uint8Array | undefined {
  return strictly(text, toBase64, (value) => native.fromBase64?.(value) ?? base64pad.baseDecode(value));
}

export function toBase64(bytes: Uint8Array): string {
  return native.prototype.toBase64?.call(bytes) ?? base64pad.baseEncode(bytes);
}

/** Longest base58 text that is decoded: base58 takes quadratic time, and no key is near this long. */
const MAX_BASE58 = 256;

/** The bytes of a multibase base58btc text (`z…`). */
export function fromBase58btc(text: string): Uint8Array | undefined {
  if (text.length > MAX_BASE58) return undefined;
  return strictly(
    text,
    (bytes) => base58btc.encode(bytes),
    (value) => base58btc.decode(value),
  );
}

export function toBase58btc(bytes: Uint8Array): string {
  return base58btc.encode(bytes);
}

function strictly(
  text: string,
  encode: (bytes: Uint8Array) => string,
  decode: (text: string) => Uint8Array,
): Uint8Array | undefined {
  try {
    const bytes = decode(text);
    return encode(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
