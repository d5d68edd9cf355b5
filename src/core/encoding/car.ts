import { reject } from "../rejection.ts";
import { equalBytes } from "./bytes.ts";
import { CID_LENGTH, Cid } from "./cid.ts";
import { decodeDagCbor, isDagCborMap } from "./dag-cbor.ts";
import { sha256 } from "./sha256.ts";

/** A CAR file, every block of which hashes to its CID. */
export interface Car {
  readonly root: Cid;
  /** By the text of the CID. */
  readonly blocks: ReadonlyMap<string, Uint8Array>;
}

/** Bytes; a header with one root has 60. It is read before any signature is checked. */
const MAX_HEADER = 1024;
/** A proof has some tens of blocks; this stops a file of many tiny ones from costing a hash each. */
const MAX_BLOCKS = 1024;
/** Bytes of the longest length prefix that is read: 2^35 is far above every body cap. */
const MAX_VARINT_BYTES = 5;

/**
 * Reads a CAR version 1 (spec 5.3): one root, every block hashes to its CID, nothing is truncated. Duplicate and unlinked
 * blocks are tolerated and ignored.
 *
 * @param bytes attacker-controlled; the caller has bounded their number
 * @throws Rejection car.malformed, car.hash_mismatch
 */
export function readCar(bytes: Uint8Array): Car {
  const header = readSection(bytes, 0, "the header");
  const root = readHeader(header.content);

  const blocks = new Map<string, Uint8Array>();
  let count = 0;
  for (let at = header.end; at < bytes.length; ) {
    if (++count > MAX_BLOCKS) reject("car.malformed", `the CAR has more than ${MAX_BLOCKS} blocks`);
    const section = readSection(bytes, at, `block ${count}`);
    const cid = new Cid(section.content.subarray(0, CID_LENGTH));
    const hash = cid.sha256;
    if (hash === undefined) {
      reject("car.malformed", `block ${count} of the CAR has no CIDv1 of DAG-CBOR or raw with SHA-256`);
    }
    const block = section.content.subarray(CID_LENGTH);
    if (!equalBytes(sha256(block), hash)) {
      reject("car.hash_mismatch", `block ${count} of the CAR does not hash to its CID ${cid}`);
    }
    blocks.set(cid.toString(), block);
    at = section.end;
  }
  return { root, blocks };
}

function readHeader(bytes: Uint8Array): Cid {
  const header = decodeDagCbor(bytes, "car.malformed", "the CAR's header", MAX_HEADER);
  if (!isDagCborMap(header) || header.get("version") !== 1) {
    reject("car.malformed", "the CAR's version is not 1");
  }
  const roots = header.get("roots");
  if (!Array.isArray(roots) || roots.length !== 1) reject("car.malformed", "the CAR does not have exactly one root");
  const root: unknown = roots[0];
  if (!(root instanceof Cid) || root.codec !== "dag-cbor") {
    reject("car.malformed", "the CAR's root is not the CID of a DAG-CBOR block");
  }
  return root;
}

/** A section is a length (unsigned LEB128) and that many bytes. */
function readSection(bytes: Uint8Array, start: number, what: string): { content: Uint8Array; end: number } {
  let length = 0;
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined) reject("car.malformed", `the CAR ends inside the length of ${what}`);
    length += (byte & 0x7f) * 2 ** (7 * (at - start));
    at++;
    if (byte < 0x80) {
      if (byte === 0 && at - start > 1) reject("car.malformed", `the length of ${what} is not in shortest form`);
      break;
    }
    if (at - start === MAX_VARINT_BYTES) reject("car.malformed", `the length of ${what} is too large`);
  }
  if (length > bytes.length - at) {
    reject("car.malformed", `the CAR is truncated: ${what} has ${length} bytes, ${bytes.length - at} are left`);
  }
  return { content: bytes.subarray(at, at + length), end: at + length };
}
