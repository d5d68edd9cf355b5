import type { Did, Tid } from "../atproto/syntax.ts";
import type { Claim } from "../evidence/claim.ts";
import type { TagClaim } from "../evidence/tag.ts";
import type { Digest } from "../oci/digest.ts";
import type { RejectionCode } from "../rejection.ts";
import type { Observation } from "./signer-history.ts";

/** The result of judge.ts. */
export type Verdict = Allow | Refusal;

export interface Allow {
  readonly outcome: "allow";
  readonly because: Signed | Exempt;
}

/** The rule's requirement is met. */
export interface Signed {
  readonly kind: "signed";
  readonly rule: string;
  readonly signatures: readonly CountedSignature[];
  /** What was not checked, or not in this pull, as clauses: `pulled by digest: no tag was checked`. */
  readonly notes: readonly string[];
  /** When the oldest cached evidence was fetched (spec 6); absent where all evidence is of this pull. */
  readonly verifiedAt?: number;
}

/** The policy requires no signature. */
export interface Exempt {
  readonly kind: "exempt";
  /** A sentence that names the rule or list. */
  readonly because: string;
}

export interface Refusal {
  readonly outcome: "deny" | "inconclusive";
  /** The headline: the finding that got furthest (spec 6). */
  readonly code: RejectionCode;
  /** A sentence with the facts; may hold attacker-controlled text. */
  readonly detail: string;
  /** Everything found, furthest first. */
  readonly findings: readonly Finding[];
}

/** Why one signature does not count, or one service gave no usable answer. */
export interface Finding {
  readonly signer?: Did;
  readonly code: RejectionCode;
  readonly detail: string;
}

/** What one signature proves, independent of the policy. Times are milliseconds since 1970. */
export interface SignatureFacts {
  readonly signer: Did;
  readonly digest: Digest;
  /** did:key of the key that signed the commit. */
  readonly key: string;
  /** Since when that key has been in place, claimed by the directory; absent for a did:web. */
  readonly keySince?: number;
  /** Origin of the signer's PDS. */
  readonly pds: string;
  /** Handles that the signer's identity claims. */
  readonly handles: readonly string[];
  /** Revision of the repo that holds the record, and the time in it. */
  readonly rev: Tid;
  readonly revTime: number;
  /** CID of the commit of that revision. */
  readonly commitCid: string;
  readonly claim: Claim;
  /** The tag's record; absent where no proof of it was fetched. */
  readonly tag?: TagFacts;
}

/** A signature that counts: what it proves, and the checks it passed. */
export interface CountedSignature extends SignatureFacts {
  /** The signer's name in the policy. */
  readonly signerName?: string;
  /** The checks that applied, besides the proof itself, in their order. */
  readonly checks: readonly Check[];
}

/**
 * What proven facts are checked against (check-facts.ts): the DID's pins, the age of its key, the registry's media type
 * and size, the record's age, the repository, the owner and the tag in the image's name.
 */
export type Check = "pins" | "key_age" | "media_type" | "max_age" | "repository" | "owner" | "tag";

/** A proof about a tag: its record (undefined: proven absent), or why the proof failed. */
export type TagFacts =
  | { readonly address: string; readonly claim: TagClaim | undefined; readonly rev: Tid }
  /** With the digest that the tag names instead, if any, and the revision of that proof. */
  | { readonly code: RejectionCode; readonly detail: string; readonly means?: Digest; readonly rev?: Tid };

/** The result of proving a signature: facts, or why there are none; and the observation of the signer. */
export type Attempt = { readonly observation?: Observation } & (
  | { readonly facts: SignatureFacts }
  | { readonly signer: Did; readonly finding: Finding }
);
