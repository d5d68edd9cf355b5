import type { Did, Tid } from "../atproto/syntax.ts";
import { concatBytes, toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import type { Digest } from "../oci/digest.ts";
import type { Scope } from "./scope.ts";

/**
 * Longest `maxStaleness`, 30 days. Stale evidence does not show keys revoked or records deleted since; a longer time would
 * amount to an exemption.
 */
export const MAX_STALENESS = 30 * 24 * 60 * 60 * 1000;
/**
 * Longest `offlineFor`, 400 days: a year between two imports, and a month for the next one. What a signer revoked or
 * deleted meanwhile is unknown, so a longer window would amount to an exemption.
 */
export const MAX_OFFLINE = 400 * 24 * 60 * 60 * 1000;

/** A trust policy, parsed and checked (spec 2). Times are milliseconds since 1970, durations milliseconds. */
export interface TrustPolicy {
  /** Identifies the policy ({@link policyHash}). */
  readonly hash: string;
  /** In the order in which they are read. */
  readonly files: readonly PolicyFileRef[];
  readonly deniedDigests: ReadonlyMap<Digest, PolicyLine>;
  readonly allowedDigests: ReadonlyMap<Digest, PolicyLine>;
  /** In file order; the first whose scope matches is selected. */
  readonly rules: readonly PolicyRule[];
  readonly fallback: "deny" | "allow" | "audit";
  /** If no file has a default: the first line of the first file. */
  readonly fallbackPlace: PolicyLine;
  /** All signers in the files, without duplicates, those under trustedDIDs first. `default: audit` trusts them all. */
  readonly everyone: readonly TrustedSigner[];
}

/** SHA-256 of a policy's files, concatenated, in hex. */
export function policyHash(texts: readonly { readonly text: string }[]): string {
  return sha256Hex(concatBytes(...texts.map(({ text }) => toUtf8(text))));
}

/**
 * A file of a policy. It holds the lines of its rules, instead of each rule its own, to keep the cached policy small.
 */
export interface PolicyFileRef {
  readonly name: string;
  /** Of its rules, from top to bottom. */
  readonly ruleLines: readonly number[];
}

/**
 * A location in a policy: the index of the file in {@link TrustPolicy.files}, and the line from 1. Only two numbers, to
 * keep the cached policy small: it may list ten thousand digests.
 */
export type PolicyLine = readonly [file: number, line: number];

/** The part of a policy that decided about an image, and its location. */
export interface Decider {
  /** The rule's name; or `digests.deny`, `digests.allow` or `default`. */
  readonly name: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/**
 * The signers of a rule, as indexes into {@link TrustPolicy.everyone}: a thousand rules with the same ten thousand signers
 * cost no more than one, in memory and in the cache.
 */
export interface SignerRefs {
  /** How many of the first signers: all those under trustedDIDs, or 0. */
  readonly inherited: number;
  /** Further signers, none of them among the first, in the order of the rule. */
  readonly own: readonly number[];
}

export interface PolicyRule {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly action: "enforce" | "audit" | "allow" | "deny";
  readonly trusts: SignerRefs;
  /** Requirements of enforce and audit; unused for allow and deny. */
  readonly requirement: Omit<Requirement, "signers">;
}

export interface Requirement {
  /** Distinct DIDs, in file order, including revoked and ineligible ones, which judge.ts reports. */
  readonly signers: readonly TrustedSigner[];
  /** Distinct DIDs with distinct keys, at least 1. */
  readonly minSignatures: number;
  readonly maxAge?: number;
  /** Maximum age of stale evidence that is used where services cannot be reached (spec 6). */
  readonly maxStaleness?: number;
  /** How long evidence from outside counts after its witness; absent: it never does (docs/reference/bundles.md). */
  readonly offlineFor?: number;
  /** The repository that the record must name (spec 5.6). */
  readonly repository: "match" | "any" | readonly string[];
  /** Whether the handle in the name must be the signer's; absent: only on atcrHosts (spec 5.8). */
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
