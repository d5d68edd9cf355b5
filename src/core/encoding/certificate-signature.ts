const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
const BIT_STRING = 0x03;
/** Bytes of an algorithm's identifier; the longest that is in use has 11. */
const MAX_IDENTIFIER = 32;

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

interface Value {
  readonly content: Uint8Array;
  /** What follows it. */
  readonly rest: Uint8Array;
}

/** The value with this tag at the beginning. */
function first(der: Uint8Array, tag: number): Value | undefined {
  const [found, short = 0x80] = der;
  if (found !== tag) return undefined;
  // Long form: how many bytes of length follow (X.690, 8.1.3.5). 0x80 would be the indefinite form, which DER has not.
  const more = short < 0x80 ? 0 : short & 0x7f;
  if (short === 0x80 || more > 3) return undefined;
  const length = more === 0 ? short : der.subarray(2, 2 + more).reduce((sum, byte) => sum * 256 + byte, 0);
  const isShortest = more === 0 || length >= (more === 1 ? 0x80 : 256 ** (more - 1));
  const begin = 2 + more;
  if (!isShortest || begin + length > der.length) return undefined;
  return { content: der.subarray(begin, begin + length), rest: der.subarray(begin + length) };
}

/** Its content, where nothing follows it. */
function only(der: Uint8Array, tag: number): Uint8Array | undefined {
  const value = first(der, tag);
  return value?.rest.length === 0 ? value.content : undefined;
}

/** X.690, 8.19: the first number holds two arcs; each number is in base 128, all bytes but the last with the high bit. */
function dotted(content: Uint8Array): string | undefined {
  if (content.length > MAX_IDENTIFIER) return undefined;
  const numbers: number[] = [];
  let number: number | undefined;
  for (const byte of content) {
    if (number === undefined && byte === 0x80) return undefined; // not the shortest form
    number = (number ?? 0) * 128 + (byte & 0x7f);
    if (number > Number.MAX_SAFE_INTEGER) return undefined;
    if (byte < 0x80) {
      numbers.push(number);
      number = undefined;
    }
  }
  const [head, ...others] = numbers;
  if (head === undefined || number !== undefined) return undefined;
  const arc = Math.min(2, Math.floor(head / 40));
  return [arc, head - 40 * arc, ...others].join(".");
}
