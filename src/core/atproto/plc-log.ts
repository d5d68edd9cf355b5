import { toBase32 } from "../encoding/cid.ts";
import { field, isJsonObject, parseJson } from "../encoding/json.ts";
import { parseDateTime } from "../encoding/time.ts";
import { reject } from "../rejection.ts";
import { parseDidKey, type VerificationKey, verifySignature } from "./key.ts";
import { type PlcOperation, type PlcState, readPlcOperation } from "./plc-operation.ts";
import type { Did } from "./syntax.ts";

/** An operation and its date. */
interface Entry extends PlcOperation {
  /** When the directory accepted the operation, as it claims: milliseconds since 1970. */
  readonly createdAt: number;
}

/** A replayed operation, with the index of the previous operation's rotation key that signed it. */
interface Played {
  readonly entry: Entry;
  readonly signer: number;
  /** The did:key text at that index. */
  readonly signedBy: string;
}

/** Operations in one log; real ones have tens. Stops a long log from exceeding the deadline. */
const MAX_OPERATIONS = 200;
/**
 * Cost of all signature checks in one log: stops many operations times many rotation keys. Counted in k256 checks; it
 * allows 250 of p256. An unreadable key counts too: checking that its point is not on the curve costs a third of a check.
 */
const MAX_CHECK_COST = 500;
/** Relative cost of a check without just-in-time compilation (docs/assurance.md). */
const CHECK_COST = { k256: 1, p256: 2 } as const;
/** How long a more powerful key can undo what a less powerful one did: 72 h, in milliseconds (spec 5.1). */
export const RECOVERY_WINDOW = 72 * 60 * 60 * 1000;
/** Characters of the hash that make the DID. */
const PLC_ID_LENGTH = 24;

/** One valid operation of a log, in replay order. */
export interface PlcHistoryEntry {
  readonly cid: string;
  /** CID of the previous operation; null for the first. */
  readonly prev: string | null;
  /** When the directory accepted the operation, as it claims: milliseconds since 1970. */
  readonly createdAt: number;
  /** True if a more powerful rotation key undid it. */
  readonly nullified: boolean;
  /** did:key text of the rotation key that signed it. */
  readonly signedBy: string;
  /** Undefined for a tombstone. */
  readonly state: PlcState | undefined;
}

/** Work in steps: yields before each uninterruptible step of a few milliseconds. */
export type Steps<T> = Generator<undefined, T>;

/**
 * Replays the audit log of a did:plc from its genesis operation (spec 5.1). Of what the directory adds to an operation
 * only the date is used: not its CID, its nullified flag or its position in the list.
 *
 * A step reads one operation or checks one signature; the caller checks the clock in between.
 *
 * @param bytes attacker-controlled: the JSON of `/log/audit`
 * @returns all operations in replay order; at least one is in force
 * @throws Rejection identity.log_invalid
 */
export function* replayPlcLog(did: Did, bytes: Uint8Array): Steps<readonly PlcHistoryEntry[]> {
  const { played, standing } = yield* replay(did, yield* readEntries(bytes));
  const stands = new Set(standing);
  return played.map((one) => {
    const { cid, prev, createdAt, state } = one.entry;
    return { cid: cid.toString(), prev, createdAt, nullified: !stands.has(one), signedBy: one.signedBy, state };
  });
}

function* readEntries(bytes: Uint8Array): Steps<readonly Entry[]> {
  const log = parseJson(bytes, "identity.log_invalid", "the operation log");
  if (!Array.isArray(log) || log.length === 0) {
    reject("identity.log_invalid", "the operation log is not a list of operations");
  }
  if (log.length > MAX_OPERATIONS) {
    reject("identity.log_invalid", `the log has ${log.length} operations, more than ${MAX_OPERATIONS}`);
  }
  const entries: Entry[] = [];
  for (const entry of log as readonly unknown[]) {
    yield;
    const what = `operation ${entries.length + 1}`;
    if (!isJsonObject(entry)) reject("identity.log_invalid", `${what} of the log is not an object`);
    const date = field(entry, "createdAt");
    const createdAt = typeof date === "string" ? parseDateTime(date) : undefined;
    if (createdAt === undefined) reject("identity.log_invalid", `createdAt of ${what} is not a date and time`);
    entries.push({ ...readPlcOperation(field(entry, "operation"), what), createdAt });
  }
  return entries.sort((a, b) => a.createdAt - b.createdAt);
}

/**
 * Replays the operations in the order of their dates. A duplicate would have to nullify itself, which no key is powerful
 * enough for.
 *
 * @returns all of them, and those in force at the end
 */
function* replay(did: Did, entries: readonly Entry[]): Steps<{ played: Played[]; standing: readonly Played[] }> {
  const keys = new KeyRing();
  const played: Played[] = [];
  let standing: readonly Played[] = [];
  for (const entry of inLinkOrder(entries)) {
    standing = standing.length === 0 ? [yield* genesis(did, entry, keys)] : yield* follow(standing, entry, keys);
    played.push(standing.at(-1) as Played);
  }
  return { played, standing };
}

/**
 * The entries are sorted by date. A directory may write several operations within one millisecond, so those with equal
 * dates are placed after the operation that they name as `prev`.
 */
function inLinkOrder(entries: readonly Entry[]): readonly Entry[] {
  const ordered: Entry[] = [];
  const placed = new Set<string | null>([null]);
  const waiting = [...entries];
  while (waiting.length > 0) {
    const date = waiting[0]?.createdAt;
    const linked = waiting.findIndex((entry) => entry.createdAt === date && placed.has(entry.prev));
    const [next] = waiting.splice(Math.max(0, linked), 1);
    if (next === undefined) break;
    placed.add(next.cid.toString());
    ordered.push(next);
  }
  return ordered;
}

function* genesis(did: Did, entry: Entry, keys: KeyRing): Steps<Played> {
  if (entry.prev !== null) reject("identity.log_invalid", "the earliest operation by date is not a genesis operation");
  const hash = entry.cid.sha256 ?? new Uint8Array();
  const id = `did:plc:${toBase32(hash).slice(0, PLC_ID_LENGTH)}`;
  if (id !== did) reject("identity.log_invalid", `the log belongs to ${id}, expected ${did}`);
  if (entry.state === undefined) reject("identity.log_invalid", "the genesis operation is a tombstone");
  const { rotationKeys } = entry.state;
  const signer = yield* keys.signerOf(entry, rotationKeys, undefined);
  if (signer === -1) {
    reject("identity.log_invalid", "the genesis operation is not signed by one of its own rotation keys");
  }
  return { entry, signer, signedBy: rotationKeys[signer] ?? "" };
}

/** Adds one operation; if its `prev` is not the last operation, it nullifies those after `prev`. */
function* follow(standing: readonly Played[], entry: Entry, keys: KeyRing): Steps<readonly Played[]> {
  const at = standing.findIndex((other) => other.entry.cid.toString() === entry.prev);
  const before = standing[at]?.entry;
  const cid = entry.cid.toString();
  if (before === undefined) {
    reject("identity.log_invalid", `the operation ${cid} follows ${entry.prev}, which is not in force at its date`);
  }
  if (before.state === undefined) reject("identity.log_invalid", `the operation ${cid} follows a tombstone`);

  const { rotationKeys } = before.state;
  const signer = yield* keys.signerOf(entry, rotationKeys, standing[at]?.signedBy);
  if (signer === -1) {
    reject("identity.log_invalid", `the operation ${cid} is not signed by a rotation key of the previous one`);
  }
  const next = { entry, signer, signedBy: rotationKeys[signer] ?? "" };
  mayNullify(next, standing.slice(at + 1));
  return [...standing.slice(0, at + 1), next];
}

/** @param undone the operations it would nullify, if any; the last is the one replayed before it */
function mayNullify({ entry, signer }: Played, undone: readonly Played[]): void {
  const cid = entry.cid.toString();
  const [first, last] = [undone[0], undone.at(-1)];
  if (first === undefined || last === undefined) return;
  if (signer >= first.signer) {
    reject("identity.log_invalid", `the operation ${cid} nullifies another without a more powerful rotation key`);
  }
  if (entry.createdAt - first.entry.createdAt > RECOVERY_WINDOW) {
    reject("identity.log_invalid", `the operation ${cid} nullifies another more than 72 h after it`);
  }
  if (entry.createdAt <= last.entry.createdAt) {
    reject("identity.log_invalid", `the operation ${cid} nullifies another, but is not the latest by date`);
  }
}

/** Parses each rotation key once and adds up the cost of one log's signature checks. */
class KeyRing {
  readonly #keys = new Map<string, VerificationKey | undefined>();
  #cost = 0;

  /**
   * Index of the first of `rotationKeys` that signed the operation, or -1.
   *
   * @param likely tried first: most logs are signed by one key, not necessarily the first in the list
   */
  *signerOf(operation: PlcOperation, rotationKeys: readonly string[], likely: string | undefined): Steps<number> {
    const expected = likely === undefined ? -1 : rotationKeys.indexOf(likely);
    if (expected !== -1 && (yield* this.#signed(operation, rotationKeys[expected]))) return expected;
    for (const [i, didKey] of rotationKeys.entries()) {
      if (i !== expected && (yield* this.#signed(operation, didKey))) return i;
    }
    return -1;
  }

  *#signed(operation: PlcOperation, didKey = ""): Steps<boolean> {
    yield;
    const key = this.#key(didKey);
    this.#cost += key === undefined ? 1 : CHECK_COST[key.curve];
    if (this.#cost > MAX_CHECK_COST) {
      reject(
        "identity.log_invalid",
        `the log needs more signature checks than ${MAX_CHECK_COST} of k256 (one of p256 is two)`,
      );
    }
    return key !== undefined && verifySignature(key, operation.signedBytes, operation.signature);
  }

  #key(didKey: string): VerificationKey | undefined {
    if (!this.#keys.has(didKey)) this.#keys.set(didKey, parseDidKey(didKey));
    return this.#keys.get(didKey);
  }
}
