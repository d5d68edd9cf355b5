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
}

/** What one answer of a signer's services showed, whatever else came of it: what there is to remember. */
export interface Sighting {
  readonly signer: Did;
  /** CIDs as in {@link SignerMemory}; absent for a did:web. */
  readonly operations?: readonly string[];
  /** did:key of the signing key in place; absent where the identity names none that can be used. */
  readonly key?: string;
  /** Revisions of the proofs whose commit verified (spec 5.1 to 5.4), absence proofs included. */
  readonly revs: readonly Tid[];
}

/** Nothing remembered: what a node knows of somebody it has never asked for. */
export const NOTHING_REMEMBERED: SignerMemory = { operations: new Set(), keys: new Map() };
