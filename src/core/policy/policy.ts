import type { Did, Tid } from "../atproto/syntax.ts";
import { concatBytes, toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import type { Digest } from "../oci/digest.ts";
import type { Scope } from "./scope.ts";

/**
 * Longest `maxStaleness`, 30 days. What is judged by old evidence knows of no key that was taken back
 * since and no record that was deleted; a longer span would be an exemption under another name.
 */
export const MAX_STALENESS = 30 * 24 * 60 * 60 * 1000;

/** A trust policy, parsed and checked (spec 2). Times are milliseconds since 1970, spans milliseconds. */
export interface TrustPolicy {
  /** Which policy this is ({@link policyHash}). */
  readonly hash: string;
  /** In the order in which they are read. */
  readonly files: readonly PolicyFileRef[];
  readonly deniedDigests: ReadonlyMap<Digest, PolicyLine>;
  readonly allowedDigests: ReadonlyMap<Digest, PolicyLine>;
  /** In file order; the first whose scope matches is selected. */
  readonly rules: readonly PolicyRule[];
  readonly fallback: "deny" | "allow" | "audit";
  /** Where no file has a default: the line at which the first file begins. */
  readonly fallbackPlace: PolicyLine;
  /** Each signer that the files name, once: those under trustedDIDs first. `default: audit` trusts them all. */
  readonly everyone: readonly TrustedSigner[];
}

/** SHA-256 of the files of a policy, one after the other, in hex. */
export function policyHash(texts: readonly { readonly text: string }[]): string {
  return sha256Hex(concatBytes(...texts.map(({ text }) => toUtf8(text))));
}

/**
 * A file of a policy, as what is in it refers to it. The lines of its rules stand here and not with each rule: all of a policy is remembered, and a
 * thousand rules are to be a few bytes more there.
 */
export interface PolicyFileRef {
  readonly name: string;
  /** Of its rules, from top to bottom. */
  readonly ruleLines: readonly number[];
}

/**
 * Where a policy says something: the index of the file in {@link TrustPolicy.files}, and the line from 1. Two numbers
 * and nothing else, as a policy may list ten thousand digests, and all of it is remembered.
 */
export type PolicyLine = readonly [file: number, line: number];

/** What of a policy decided about an image, and where it stands. */
export interface Decider {
  /** Of the rule; `digests.deny`, `digests.allow` or `default` where none decided. */
  readonly name: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/**
 * The signers of a rule, by their places in {@link TrustPolicy.everyone}: a thousand rules that trust the same
 * ten thousand cost no more than one does, in memory and where they are remembered.
 */
export interface SignerRefs {
  /** The first so many: all those under trustedDIDs, or 0. */
  readonly inherited: number;
  /** And these, none of them among the first, in the order of the rule. */
  readonly own: readonly number[];
}

export interface PolicyRule {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly action: "enforce" | "audit" | "allow" | "deny";
  readonly trusts: SignerRefs;
  /** What enforce and audit require; what is written under allow and deny requires nothing. */
  readonly requirement: Omit<Requirement, "signers">;
}

export interface Requirement {
  /** Distinct DIDs, in file order. Includes signers that are revoked or not valid now: judge says so. */
  readonly signers: readonly TrustedSigner[];
  /** Distinct DIDs with distinct keys, at least 1. */
  readonly minSignatures: number;
  readonly maxAge?: number;
  /** How old evidence may be that is judged again where services cannot be reached (spec 6). */
  readonly maxStaleness?: number;
  /** Which repository the record must name (spec 5.6). */
  readonly repository: "match" | "any" | readonly string[];
  /** Whether the handle in the name must be the signer's; absent: on the hosts in atcrHosts it must (spec 5.8). */
  readonly owner?: "match" | "any";
  /** `match`: the signer's repo must map this name's tag to this digest (spec 5.8). */
  readonly tag: "match" | "any";
  /** How long the signer's key must have been in place (spec 5.8). */
  readonly minKeyAge?: number;
}

export interface TrustedSigner {
  readonly did: Did;
  readonly name?: string;
  /** Trusted from this time on (inclusive). */
  readonly validFrom?: number;
  /** Trusted until this time (exclusive). */
  readonly expiresAt?: number;
  readonly revoked: boolean;
  /** did:key strings, one of which must be the signing key. */
  readonly keys?: readonly string[];
  /** Origins (`https://host[:port]`), one of which must be the PDS. */
  readonly pds?: readonly string[];
  /** Oldest revision of the repo that counts (spec 5.7). */
  readonly minRev?: Tid;
}

/** A rule that has to be judged against evidence. */
export interface Rule extends Decider {
  readonly action: "enforce" | "audit";
  readonly requirement: Requirement;
}
