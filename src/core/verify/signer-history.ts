import type { Did, Tid } from "../atproto/syntax.ts";
import type { ProvenNo, RememberedNoes } from "./remembered-noes.ts";

/**
 * The history of one signer on this node (spec 5.7, 5.8); it only grows. It is never evidence for a signature: it can
 * only reject what is older.
 */
export interface SignerHistory extends RememberedNoes {
  /** The newest revision of the repo whose commit was proven; TIDs are compared as text. */
  readonly rev?: Tid;
  /** CIDs of all operations that were valid in the signer's log, including nullified ones; empty for a did:web. */
  readonly operations: ReadonlySet<string>;
  /** did:key of each signing key, and when this node first saw it (milliseconds since 1970). */
  readonly keys: ReadonlyMap<string, number>;
  /** Why the history could not be read in full; absent where it could, even if it is empty. */
  readonly unusable?: string;
  /** This user may not read it. A person's command goes on without it; a pull does not. */
  readonly isDenied?: true;
}

/** An observation of a signer, from one answer of their services: what the history records. */
export interface Observation {
  readonly signer: Did;
  /** When the identity was requested, milliseconds since 1970; absent: now. Its key counts as seen since then. */
  readonly askedAt?: number;
  /** CIDs as in {@link SignerHistory}; absent for a did:web. */
  readonly operations?: readonly string[];
  /** did:key of the current signing key; absent where the identity has no usable one. */
  readonly key?: string;
  /** Revisions of the proofs whose commit verified (spec 5.1 to 5.4), absence proofs included. */
  readonly revs: readonly Tid[];
  /** What was proven not to be there, or to be another image (remembered-noes.ts). */
  readonly noes?: readonly ProvenNo[];
}

/** Histories by signer; for a signer without one: {@link NO_HISTORY}. */
export type SignerHistories = ReadonlyMap<Did, SignerHistory>;

/** The empty history, of a signer that this node has never seen. */
export const NO_HISTORY: SignerHistory = { operations: new Set(), keys: new Map(), noes: new Map() };

/**
 * Whether a node remembers all that an answer showed. It does of whatever it has cached, so where it does not, something
 * that it remembered is lost: a damaged history was set aside, or an older one was put back.
 */
export function isRemembered(
  { operations = [], key, revs }: Omit<Observation, "signer">,
  memory: SignerHistory,
): boolean {
  const { rev: newest = "" } = memory;
  const knowsKey = key === undefined || memory.keys.has(key);
  return knowsKey && operations.every((cid) => memory.operations.has(cid)) && revs.every((rev) => rev <= newest);
}

/** CID of an operation that this node has seen valid and that the log lacks; undefined where there is none. */
export function lostOperation(operations: readonly string[] | undefined, memory: SignerHistory): string | undefined {
  if (operations === undefined) return undefined;
  const listed = new Set(operations);
  return [...memory.operations].find((cid) => !listed.has(cid));
}

/**
 * Finds a rollback (spec 5.7): a log that lacks a known operation, or a repo with an older revision than the history's.
 * Within one pull, a proof of the tag that is older than that of the digest counts too; once, a commit between the two
 * parallel requests can cause that.
 *
 * @param memory the history before the requests: otherwise parallel pulls would accuse each other
 */
export function findRollback({ signer, operations, revs }: Observation, memory: SignerHistory): Rollback | undefined {
  const lost = lostOperation(operations, memory);
  if (lost !== undefined) {
    const detail = `the log of ${signer} lacks the operation ${lost}, which this node has seen before; ${afterRestore(signer)}`;
    return { code: "identity.log_rolled_back", detail };
  }
  const older = revs.find((rev) => memory.rev !== undefined && rev < memory.rev);
  if (older !== undefined) {
    const seen = `the PDS served revision ${older} of the repo of ${signer}, but this node has seen ${memory.rev}`;
    return { code: "commit.rolled_back", detail: `${seen}; ${afterRestore(signer)}` };
  }
  const behind = revs.find((rev, i) => revs.slice(0, i).some((earlier) => rev < earlier));
  if (behind === undefined) return undefined;
  const detail = `the PDS served revision ${behind} of the repo of ${signer} after revision ${revs[0]}`;
  return { code: "commit.rolled_back", detail };
}

/** The history extended by an observation of the same pull: later answers must not be older than that either. */
export function extended(memory: SignerHistory, { operations = [], revs }: Omit<Observation, "signer">): SignerHistory {
  const newest = [...revs, ...(memory.rev === undefined ? [] : [memory.rev])].toSorted().at(-1);
  return {
    ...memory,
    operations: new Set([...memory.operations, ...operations]),
    ...(newest === undefined ? {} : { rev: newest }),
  };
}

export interface Rollback {
  readonly code: "identity.log_rolled_back" | "commit.rolled_back";
  readonly detail: string;
}

function afterRestore(signer: Did): string {
  return `if that is expected, for example after a restore from a backup, run: atcr-verify state forget ${signer}`;
}
