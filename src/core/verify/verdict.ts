import type { Did, Tid } from "../atproto/syntax.ts";
import type { Claim } from "../evidence/claim.ts";
import type { TagClaim } from "../evidence/tag.ts";
import type { Digest } from "../oci/digest.ts";
import type { RejectionCode } from "../rejection.ts";
import type { Sighting } from "./signer-history.ts";

/** What was judged (judge.ts). */
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
  /** What was not looked at, or not now, as sentences: `pulled by digest: no tag was checked`. */
  readonly notes: readonly string[];
  /** When evidence that was judged again was had (spec 6); absent where all of it is of this pull. */
  readonly verifiedAt?: number;
}

/** The policy asks for no signature here. */
export interface Exempt {
  readonly kind: "exempt";
  /** A sentence: which rule, or which list. */
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

/** Why one signature, one signer or one service did not help. */
export interface Finding {
  readonly signer?: Did;
  readonly code: RejectionCode;
  readonly detail: string;
}

/** What one signature proves, whatever the policy says. Times are milliseconds since 1970. */
export interface SignatureFacts {
  readonly signer: Did;
  readonly digest: Digest;
  /** did:key of the key that signed the commit. */
  readonly key: string;
  /** Since when that key has been in place, by the directory's word; absent for a did:web. */
  readonly keySince?: number;
  /** Origin of the signer's PDS. */
  readonly pds: string;
  /** Handles that the signer's identity claims. */
  readonly handles: readonly string[];
  /** Revision of the repo that holds the record, and the time in it. */
  readonly rev: Tid;
  readonly revTime: number;
  readonly claim: Claim;
  /** What the repo says of the tag; absent where no proof of it was gathered. */
  readonly tag?: TagFacts;
}

/** A signature that counts: what it proves, and what that was held against. */
export interface CountedSignature extends SignatureFacts {
  /** What the policy calls the signer. */
  readonly signerName?: string;
  /** What the rule, the policy and the pull had to say about it, beside the proof itself; in the order of the checks. */
  readonly checks: readonly Check[];
}

/**
 * What proven facts are held against (check-facts.ts): the DID's pins, the age of its key, the registry's media type
 * and size, the record's age, the repository, the owner and the tag in the image's name.
 */
export type Check = "pins" | "key_age" | "media_type" | "max_age" | "repository" | "owner" | "tag";

/** A proof about a tag: what its record says (undefined: proven that there is none), or why it proves nothing. */
export type TagFacts =
  | { readonly address: string; readonly claim: TagClaim | undefined; readonly rev: Tid }
  /** With the digest that it means instead, where it means one, and the revision that shows it. */
  | { readonly code: RejectionCode; readonly detail: string; readonly means?: Digest; readonly rev?: Tid };

/** A signature's bytes after `prove`: facts, or why there are none; and what was seen on the way. */
export type Attempt = { readonly sighting?: Sighting } & (
  | { readonly facts: SignatureFacts }
  | { readonly signer: Did; readonly finding: Finding }
);
