/**
 * Every reason for which atcr-verify does not allow an image, in one table.
 *
 * A code is part of the public interface: once released it is never renamed and never changes its
 * kind. The kind is the exit code a refusal for this reason ends with (spec 6):
 *   deny (1)            the evidence says no
 *   inconclusive (2)    the evidence could not be fetched, or could not be read
 *   misconfigured (3)   the question or the local configuration is wrong
 *   internal (4)        a bug in this program
 *
 * The order within `deny` and `inconclusive` is the order in which a signature passes the checks:
 * the headline of a refusal is the finding that got furthest (see core/verify/judge.ts).
 */
export type RejectionKind = "deny" | "inconclusive" | "misconfigured" | "internal";

export const REJECTIONS = {
  "policy.no_match": { kind: "deny", summary: "no rule covers this image and the default is deny" },
  "policy.denied": { kind: "deny", summary: "a rule or the digest list denies this image" },
  "policy.probe": { kind: "deny", summary: "the reserved name that the doctor pulls to prove that pulls are refused" },
  "policy.no_signers": { kind: "deny", summary: "the rule that audits this image names no signer yet" },
  "image.not_pinned": { kind: "deny", summary: "the image is named by a tag, and this gate judges digests alone" },
  "signature.none": { kind: "deny", summary: "no signer that this rule trusts has signed this digest" },
  "signer.untrusted": {
    kind: "deny",
    summary: "the registry offers signatures only by signers that the rule does not trust",
  },
  "signer.not_yet_valid": { kind: "deny", summary: "the signer is trusted only from a later time" },
  "signer.expired": { kind: "deny", summary: "the policy's trust in the signer has expired" },
  "signer.revoked": { kind: "deny", summary: "the policy revokes the signer" },
  "identity.deactivated": { kind: "deny", summary: "the signer's identity has been closed by a tombstone" },
  "identity.log_rolled_back": {
    kind: "deny",
    summary: "the log of the signer's identity lacks an operation that this node has seen",
  },
  "identity.invalid": { kind: "deny", summary: "the signer's identity is not usable" },
  "identity.unsupported_key": { kind: "deny", summary: "the signer's key is of a type other than k256 and p256" },
  "identity.key_not_pinned": { kind: "deny", summary: "the signer's key is not among those the policy pins" },
  "identity.pds_not_pinned": { kind: "deny", summary: "the signer's PDS is not among those the policy pins" },
  "identity.key_too_young": { kind: "deny", summary: "the signer's key is younger than the rule allows" },
  "commit.malformed": { kind: "deny", summary: "the repo's commit is not a version 3 commit" },
  "commit.wrong_did": { kind: "deny", summary: "the commit belongs to another repo" },
  "commit.bad_signature": { kind: "deny", summary: "the commit is not signed by the signer's key" },
  "commit.superseded_key": { kind: "deny", summary: "the commit is signed by a key the signer no longer uses" },
  "commit.rolled_back": { kind: "deny", summary: "the repo is older than the state that this node has already seen" },
  "commit.older_than_pinned": { kind: "deny", summary: "the repo is older than the policy's minRev" },
  "record.absent": { kind: "deny", summary: "the signer's repo proves that it has no record of this digest" },
  "record.malformed": { kind: "deny", summary: "the record is not an io.atcr.manifest record" },
  "record.digest_mismatch": { kind: "deny", summary: "the record is about another digest" },
  "record.media_type_mismatch": { kind: "deny", summary: "the record describes another type of manifest" },
  "record.blob_mismatch": { kind: "deny", summary: "the record's copy of the manifest differs" },
  "record.wrong_repository": { kind: "deny", summary: "the record is about another repository" },
  "record.too_old": { kind: "deny", summary: "the record is older than the rule allows" },
  "record.from_future": { kind: "deny", summary: "the record is dated in the future" },
  "image.owner_mismatch": { kind: "deny", summary: "the handle in the image's name is not the signer's" },
  "tag.absent": { kind: "deny", summary: "the signer's repo has no record of this tag" },
  "tag.mismatch": { kind: "deny", summary: "the signer's repo maps this tag to something else" },
  "tag.unsupported_here": { kind: "deny", summary: "the rule says tag: match, but this gate is not told the tag" },
  "policy.too_few_signatures": { kind: "deny", summary: "fewer signatures count than the rule requires" },

  "registry.unreachable": { kind: "inconclusive", summary: "the registry could not be reached" },
  "registry.unauthorized": { kind: "inconclusive", summary: "the registry requires credentials" },
  "registry.unknown_tag": { kind: "inconclusive", summary: "the registry knows no such tag" },
  "registry.bad_response": { kind: "inconclusive", summary: "the registry's answer cannot be used" },
  "registry.too_many_candidates": {
    kind: "inconclusive",
    summary: "the registry lists more referrers than are checked",
  },
  "identity.unreachable": { kind: "inconclusive", summary: "the signer's identity could not be fetched" },
  "identity.bad_response": { kind: "inconclusive", summary: "the answer about the signer's identity cannot be used" },
  "identity.unknown_did": { kind: "inconclusive", summary: "no directory that answered knows the signer" },
  "identity.log_invalid": { kind: "inconclusive", summary: "the directory's log of the signer is not valid" },
  "pds.unreachable": { kind: "inconclusive", summary: "the signer's PDS could not be reached" },
  "pds.bad_response": { kind: "inconclusive", summary: "the PDS's answer cannot be used" },
  "pds.repo_unavailable": { kind: "inconclusive", summary: "the PDS does not serve the signer's repo" },
  "car.malformed": { kind: "inconclusive", summary: "the proof is not a well-formed CAR" },
  "car.hash_mismatch": { kind: "inconclusive", summary: "a block of the proof does not hash to its CID" },
  "mst.malformed": { kind: "inconclusive", summary: "the repo's tree is malformed" },
  "mst.incomplete_proof": { kind: "inconclusive", summary: "the proof lacks a block on the path to the record" },
  "commit.from_future": { kind: "inconclusive", summary: "the commit is dated in the future" },
  "handle.unreachable": { kind: "inconclusive", summary: "the handle in the image's name could not be looked up" },
  "handle.bad_response": { kind: "inconclusive", summary: "the answer about the handle cannot be used" },
  "net.forbidden_address": { kind: "inconclusive", summary: "a host has an address that must not be contacted" },
  "net.tls": { kind: "inconclusive", summary: "the TLS certificate of a host could not be verified" },
  "net.deadline": { kind: "inconclusive", summary: "no verdict was reached before the deadline" },
  "net.interrupted": { kind: "inconclusive", summary: "the program was stopped before a verdict was reached" },
  "server.overloaded": { kind: "inconclusive", summary: "the server has too many questions to answer" },
  "bundle.not_accepted": { kind: "inconclusive", summary: "evidence from bundles does not count here" },
  "bundle.expired": { kind: "inconclusive", summary: "the evidence from bundles is older than the rule's offlineFor" },
  "policy.signatures_unconfirmed": {
    kind: "inconclusive",
    summary: "some signatures count; others that the rule requires could not be verified",
  },

  "input.malformed": { kind: "misconfigured", summary: "the arguments or the standard input cannot be read" },
  "input.no_images": { kind: "misconfigured", summary: "the file or the standard input names no image" },
  "input.digest_mismatch": { kind: "misconfigured", summary: "the given digests differ" },
  "input.unsupported_digest": { kind: "misconfigured", summary: "the digest is not a sha256 digest" },
  "input.unsupported_media_type": { kind: "misconfigured", summary: "the standard input is of an unknown type" },
  "image.malformed_reference": { kind: "misconfigured", summary: "the image name is not a full, canonical reference" },
  "policy.invalid": { kind: "misconfigured", summary: "the trust policy cannot be used" },
  "config.invalid": { kind: "misconfigured", summary: "the configuration cannot be used" },
  "bundle.malformed": { kind: "misconfigured", summary: "the saved evidence cannot be read" },
  "bundle.bad_seal": { kind: "misconfigured", summary: "the seal of the saved evidence is wrong" },

  "internal.error": { kind: "internal", summary: "this program failed; please report it" },
} as const satisfies Record<string, { kind: RejectionKind; summary: string }>;

export type RejectionCode = keyof typeof REJECTIONS;

/** All codes in table order; the position is how far a signature got (see the table's comment). */
export const REJECTION_CODES = Object.keys(REJECTIONS) as readonly RejectionCode[];

/** A location in a file that an administrator wrote. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** The whole line, without its line break; of any length, with any character. */
  readonly lineText: string;
}

/** A mistake in such a file, in parts: the message of its rejection as a sentence. */
export interface FileMistake {
  /** Path of keys and indexes: `policies[0].scope`; absent where the mistake is in no key's value. */
  readonly key?: string;
  readonly found: string;
  readonly expected: string;
  /** What to do, where that does not follow from what was expected. */
  readonly advice?: string;
}

/**
 * The one exception that the core throws on bad input. Anything else that is thrown is a bug.
 *
 * `message` is a sentence with the facts: what was found and what was expected. It may contain
 * attacker-controlled text; the code that prints it makes it printable and short (frontends/process/report.ts).
 */
export class Rejection extends Error {
  readonly code: RejectionCode;
  /** The mistake's location; the message also names file, line and column. */
  readonly place?: Place;
  /** Present if `place` is. */
  readonly mistake?: FileMistake;

  constructor(
    code: RejectionCode,
    message: string,
    options?: ErrorOptions & { readonly place?: Place; readonly mistake?: FileMistake },
  ) {
    super(message, options);
    this.name = "Rejection";
    this.code = code;
    if (options?.place !== undefined) this.place = options.place;
    if (options?.mistake !== undefined) this.mistake = options.mistake;
  }

  get kind(): RejectionKind {
    return REJECTIONS[this.code].kind;
  }
}

/** Throws a {@link Rejection}; written as an expression so that a check fits on one line. */
export function reject(code: RejectionCode, message: string, cause?: unknown): never {
  throw new Rejection(code, message, cause === undefined ? undefined : { cause });
}

/** The Rejection that a check throws; undefined where it passes. Other errors are rethrown. */
export function rejectionOf(check: () => void): Rejection | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
