import type { Did } from "../atproto/syntax.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { RejectionCode } from "../rejection.ts";

/** What is asked: has somebody this node trusts signed exactly this digest? */
export interface Subject {
  readonly name: ImageReference;
  readonly digest: Digest;
  /** The tag by which the digest was found; absent in a pull by digest. */
  readonly tag?: string;
  /** As the registry served it; may be unspecific (`application/octet-stream`). */
  readonly mediaType?: string;
  /** Bytes of the manifest, where the caller knew it. */
  readonly size?: number;
}

/** Bytes as they were received, and where from. Nothing here is believed yet. */
export interface Fetched {
  readonly url: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

/** One signer's answer: who they are, and the proof of what their repo says about the digest. */
export interface SignatureEvidence {
  readonly signer: Did;
  /** did:plc: the directory's audit log (JSON). did:web: the DID document (JSON). */
  readonly identity: Fetched;
  /**
   * The CAR that com.atproto.sync.getRecord answered with; absent where the identity proved unusable
   * and nobody could be asked.
   */
  readonly record?: Fetched;
  /** The CAR about the tag's record; absent unless the rule asks for it, and where it could not be had. */
  readonly tag?: Fetched;
}

/** A registry's hint that this DID signed the digest. It proves nothing and chooses no host. */
export interface Pointer {
  readonly signer: Did;
  /** The referrer's descriptor, manifest or payload that named the DID. */
  readonly url: string;
  /** A pointer to another record than the one spec 3.5 asks for is reported, not followed. */
  readonly note?: string;
}

/** Whom the handle in the image's name leads to, as DNS or its https host said; nothing here is believed yet. */
export interface OwnerAnswer {
  readonly handle: string;
  /** Absent where both ways answered, and name nobody. */
  readonly did?: Did;
  /** `dns:_atproto.HANDLE` or the URL. */
  readonly source: string;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

/** Something that was asked for and not received. A network failure is evidence too. */
export interface Gap {
  readonly service: "registry" | "identity" | "pds" | "handle";
  /** Whose answer is missing; absent when the registry's list of referrers is, or the handle's owner. */
  readonly signer?: Did;
  readonly code: RejectionCode;
  /** What was tried and what happened, as a sentence. */
  readonly detail: string;
  /** An answer came, and the time was over before it was looked at: that is not silence (spec 6). */
  readonly answered?: true;
}

/** What is missing because nobody answered, or not in time. Everything else is an answer (spec 6). */
const UNANSWERED: ReadonlySet<RejectionCode> = new Set([
  "registry.unreachable",
  "identity.unreachable",
  "pds.unreachable",
  "handle.unreachable",
  "net.deadline",
]);

export function isUnanswered({
  code,
  answered,
}: {
  readonly code: RejectionCode;
  readonly answered?: boolean;
}): boolean {
  return answered !== true && UNANSWERED.has(code);
}

/** Everything gathered for one subject; serialised by core/evidence/bundle.ts. */
export interface Evidence {
  readonly pointers: readonly Pointer[];
  readonly signatures: readonly SignatureEvidence[];
  readonly gaps: readonly Gap[];
  /** Absent unless the rule asks whose the handle is, and where that could not be had. */
  readonly owner?: OwnerAnswer;
}
