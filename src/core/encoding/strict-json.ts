import { type RejectionCode, reject } from "../rejection.ts";
import { parseJson } from "./json.ts";

/**
 * Arrays and objects inside each other: more than any Kubernetes object has. Stops a body of brackets from filling the
 * stack.
 */
const MAX_DEPTH = 64;

/**
 * Values in a document, lists and objects included. A large pod has some thousand. Parsed, the smallest takes 40 times its
 * bytes: this stops a body of them from filling memory.
 */
const MAX_VALUES = 100_000;

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c] as const;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d] as const;

/**
 * Reads JSON as {@link parseJson} does, and refuses what two readers could read differently: an object that has a key twice
 * (RFC 8259 section 4). JSON.parse keeps the last one and drops the others, so fewer members are left than were written;
 * both are counted.
 *
 * @param bytes attacker-controlled; the caller has bounded their number
 * @param what names the document in the message: `the AdmissionReview`
 * @throws Rejection `code`
 */
export function parseStrictJson(bytes: Uint8Array, code: RejectionCode, what: string): unknown {
  const { members: written, values, isDeep } = scan(bytes);
  if (isDeep) reject(code, `${what} has more than ${MAX_DEPTH} levels, expected a flatter one`);
  if (values > MAX_VALUES) reject(code, `${what} has more than ${MAX_VALUES} values, expected a smaller one`);
  const value = parseJson(bytes, code, what);
  if (keptMembers(value) !== written) reject(code, `${what} has an object with the same key twice, expected it once`);
  return value;
}

/** What a document is made of. */
interface Scanned {
  /** Members of all objects, one for each colon outside strings. */
  readonly members: number;
  /** Values, at least as many as there are. */
  readonly values: number;
  /** Whether it is too deep; then it is not scanned to its end. */
  readonly isDeep: boolean;
}

/** Right for JSON alone. */
function scan(bytes: Uint8Array): Scanned {
  let [members, values, depth] = [0, 1, 0];
  for (let at = 0; at < bytes.length && values <= MAX_VALUES; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === COLON) members++;
    else if (byte === COMMA) values++;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      values++;
      depth++;
      if (depth > MAX_DEPTH) return { members, values, isDeep: true };
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return { members, values, isDeep: false };
}

function keptMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) for (const item of value) members += keptMembers(item);
  else for (const key of Object.keys(value)) members += 1 + keptMembers((value as Record<string, unknown>)[key]);
  return members;
}
