/** Strict DER (X.690), as far as certificates need it: shortest lengths, nothing left over. All input is attacker-controlled. */

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OBJECT_IDENTIFIER = 0x06;
export const SEQUENCE = 0x30;
/** Bytes of an object identifier; the longest that is in use has 11. */
const MAX_IDENTIFIER = 32;

export interface Value {
  readonly content: Uint8Array;
  /** What follows it. */
  readonly rest: Uint8Array;
}

/** The value with this tag at the beginning. */
export function first(der: Uint8Array, tag: number): Value | undefined {
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
export function only(der: Uint8Array, tag: number): Uint8Array | undefined {
  const value = first(der, tag);
  return value?.rest.length === 0 ? value.content : undefined;
}

/** X.690, 8.19: the first number holds two arcs; each number is in base 128, all bytes but the last with the high bit. */
export function dotted(content: Uint8Array): string | undefined {
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
