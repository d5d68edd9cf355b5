import type { Did, Tid } from "../atproto/syntax.ts";

/**
 * What a node remembers of one signer between pulls (spec 5.7, 5.8): only ever more. Nothing of it is
 * evidence for a signature; it can only refuse what goes back behind it.
 */
export interface SignerMemory {
  /** The newest revision of the repo whose commit was proven; TIDs are compared as text. */
  readonly rev?: Tid;
  /** CIDs of all operations that were valid in a log of the signer, nullified ones included; empty for a did:web. */
  readonly operations: ReadonlySet<string>;
  /** did:key of each signing key that was in place, and when this node saw it first (milliseconds since 1970). */
  readonly keys: ReadonlyMap<string, number>;
  /** Why not all that may be remembered could be read; absent where it could, also where it was nothing. */
  readonly unusable?: string;
}

/** What one answer of a signer's services showed, whatever else came of it: what there is to remember. */
export interface Sighting {
  readonly signer: Did;
  /** When the identity was asked for, milliseconds since 1970; absent: now. Since then its key was seen in place. */
  readonly askedAt?: number;
  /** CIDs as in {@link SignerMemory}; absent for a did:web. */
  readonly operations?: readonly string[];
  /** did:key of the signing key in place; absent where the identity names none that can be used. */
  readonly key?: string;
  /** Revisions of the proofs whose commit verified (spec 5.1 to 5.4), absence proofs included. */
  readonly revs: readonly Tid[];
}

/** What a node remembers of whom; nobody: {@link NOTHING_REMEMBERED}. */
export type Memory = ReadonlyMap<Did, SignerMemory>;

/** Nothing remembered: what a node knows of somebody it has never asked for. */
export const NOTHING_REMEMBERED: SignerMemory = { operations: new Set(), keys: new Map() };

/**
 * Whether a node remembers all that an answer showed. It does of whatever it has cached, so where it does not, something
 * that it remembered is lost: a damaged history was set aside, or an older one was put back.
 */
export function isRemembered({ operations = [], key, revs }: Omit<Sighting, "signer">, memory: SignerMemory): boolean {
  const { rev: newest = "" } = memory;
  const knowsKey = key === undefined || memory.keys.has(key);
  return knowsKey && operations.every((cid) => memory.operations.has(cid)) && revs.every((rev) => rev <= newest);
}

/** A valid log that lacks an operation this node has seen valid: its CID. */
export function lostOperation(operations: readonly string[] | undefined, memory: SignerMemory): string | undefined {
  if (operations === undefined) return undefined;
  const listed = new Set(operations);
  return [...memory.operations].find((cid) => !listed.has(cid));
}

/**
 * Whether what was seen now lies behind what is remembered (spec 5.7): a log that lost a valid operation,
 * or a repo of an older revision; also where of one pull the proof about the tag is older than that about
 * the digest, which a commit between two questions at the same time explains once.
 *
 * @param memory as it was before anybody was asked, else two pulls at the same time would accuse each other
 */
export function rollback({ signer, operations, revs }: Sighting, memory: SignerMemory): Rollback | undefined {
  const lost = lostOperation(operations, memory);
  if (lost !== undefined) {
    const detail = `the log of ${signer} lacks the operation ${lost}, which this node has seen; ${afterRestore(signer)}`;
    return { code: "identity.log_rolled_back", detail };
  }
  const older = revs.find((rev) => memory.rev !== undefined && rev < memory.rev);
  if (older !== undefined) {
    const seen = `the repo of ${signer} is shown as of ${older}, this node has seen ${memory.rev}`;
    return { code: "commit.rolled_back", detail: `${seen}; ${afterRestore(signer)}` };
  }
  const behind = revs.find((rev, i) => revs.slice(0, i).some((earlier) => rev < earlier));
  if (behind === undefined) return undefined;
  const detail = `the repo of ${signer} is shown as of ${behind} after it was shown as of ${revs[0]}`;
  return { code: "commit.rolled_back", detail };
}

/** A memory together with what an answer of the same pull proved: later answers must not lie behind it either. */
export function extended(memory: SignerMemory, { operations = [], revs }: Omit<Sighting, "signer">): SignerMemory {
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
  return `where that is known to be right, as after a restore from a backup, run: atcr-verify state forget ${signer}`;
}
