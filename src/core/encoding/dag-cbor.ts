import { decode, encode, Token, Tokenizer, Type } from "cborg";
import { type RejectionCode, reject } from "../rejection.ts";
import { equalBytes, fromUtf8 } from "./bytes.ts";
import { Cid } from "./cid.ts";

/** A value of the ATProto data model. Maps have string keys. */
export type DagCbor = null | boolean | number | bigint | string | Uint8Array | Cid | readonly DagCbor[] | DagCborMap;
export type DagCborMap = ReadonlyMap<string, DagCbor>;

/** Deepest nesting of arrays and maps; stops a small block from overflowing the stack. */
const MAX_DEPTH = 64;
/**
 * Largest block that is decoded, in bytes: a kilobyte takes about a millisecond without just-in-time
 * compilation, and nothing can interrupt it. Records have a few kilobytes.
 */
const MAX_BLOCK = 128 * 1024;
/** The tag of a CID, the only one DAG-CBOR knows. */
const CID_TAG = 42;

/**
 * Decodes one DAG-CBOR block strictly: shortest forms, definite lengths, sorted unique string keys,
 * well-formed UTF-8, tag 42 only, no floats (ATProto has none), nothing left over. The value is
 * encoded again and compared, which proves that the bytes are canonical.
 *
 * @param bytes attacker-controlled
 * @param code given to the rejection
 * @param what names the block in the message: `the commit`
 * @param max bytes, where such a block is always smaller than any that is decoded
 * @throws Rejection `code`
 */
export function decodeDagCbor(bytes: Uint8Array, code: RejectionCode, what: string, max = MAX_BLOCK): DagCbor {
  if (bytes.length > max) reject(code, `${what} has ${bytes.length} bytes, at most ${max} are decoded`);
  let value: DagCbor;
  let canonical: Uint8Array;
  try {
    value = decode(bytes, {
      ...DECODE_OPTIONS,
      tokenizer: new StrictTokenizer(bytes, DECODE_OPTIONS),
    }) as DagCbor;
    canonical = encodeDagCbor(value);
  } catch (error) {
    reject(code, `${what} is not DAG-CBOR: ${error instanceof Error ? error.message : "unreadable"}`, error);
  }
  if (!equalBytes(canonical, bytes)) reject(code, `${what} is not in canonical form`);
  return value;
}

/** The canonical bytes of a value. */
export function encodeDagCbor(value: DagCbor): Uint8Array {
  return encode(value, { typeEncoders: { Object: encodeCid } });
}

/** Whether the value is a map. */
export function isDagCborMap(value: DagCbor | undefined): value is DagCborMap {
  return value instanceof Map;
}

const DECODE_OPTIONS = {
  // These three only report earlier, and more precisely, what the comparison with the canonical form finds.
  strict: true,
  allowIndefinite: false,
  rejectDuplicateMapKeys: true,
  allowUndefined: false,
  allowBigInt: true,
  useMaps: true,
  // Strings are decoded again by StrictTokenizer.
  retainStringBytes: true,
  tags: {
    [CID_TAG]: (content: () => unknown): Cid => {
      const bytes = content();
      // DAG-CBOR writes a CID as a byte string that begins with the identity multibase prefix 0.
      if (!(bytes instanceof Uint8Array) || bytes.length < 2 || bytes[0] !== 0) {
        throw new Error("tag 42 does not hold a CID");
      }
      return new Cid(bytes.subarray(1));
    },
  },
};

/** Checks every token before cborg builds a value from it, and rejects what DAG-CBOR does not allow. */
class StrictTokenizer {
  readonly #tokens: Tokenizer;
  /** For each open array or map: how many values it still expects, and whether it is a map. */
  readonly #open: { left: number; map: boolean }[] = [];

  constructor(bytes: Uint8Array, options: object) {
    this.#tokens = new Tokenizer(bytes, options);
  }

  done(): boolean {
    return this.#tokens.done();
  }

  pos(): number {
    return this.#tokens.pos();
  }

  next(): Token {
    const token = this.#tokens.next();
    const container = this.#open.at(-1);
    // In a map, an even number of values left means that the next one is a key.
    if (container?.map && container.left % 2 === 0 && !Type.equals(token.type, Type.string)) {
      throw new Error("a map key is not a string");
    }
    if (token.byteValue !== undefined) token.value = text(token.byteValue);
    if (Type.equals(token.type, Type.float)) throw new Error("floats are not part of the data model");
    // A tag is a prefix of the value that follows and is counted with it.
    if (Type.equals(token.type, Type.tag)) return token;
    if (container) container.left--;

    const map = Type.equals(token.type, Type.map);
    if (map || Type.equals(token.type, Type.array)) {
      this.#open.push({ left: Number(token.value) * (map ? 2 : 1), map });
    }
    if (this.#open.length > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
    while (this.#open.at(-1)?.left === 0) this.#open.pop();
    return token;
  }
}

/** cborg itself would drop a byte order mark, which is part of the text, and replace invalid UTF-8. */
function text(bytes: Uint8Array): string {
  const decoded = fromUtf8(bytes);
  if (decoded === undefined) throw new Error("a string is not UTF-8");
  return decoded;
}

/** cborg calls this for every object of an unknown type; null means that it is not a CID. */
function encodeCid(value: unknown): Token[] | null {
  if (!(value instanceof Cid)) return null;
  const prefixed = new Uint8Array(value.bytes.length + 1);
  prefixed.set(value.bytes, 1);
  return [new Token(Type.tag, CID_TAG), new Token(Type.bytes, prefixed)];
}
