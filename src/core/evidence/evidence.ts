import type { Did } from "../atproto/syntax.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { RejectionCode } from "../rejection.ts";

/** The image to verify. */
export interface Subject {
  readonly name: ImageReference;
  readonly digest: Digest;
  /** The tag that was resolved to the digest; absent in a pull by digest. */
  readonly tag?: string;
  /** As the registry served it; may be unspecific (`application/octet-stream`). */
  readonly mediaType?: string;
  /** Size of the manifest in bytes, where the caller knew it. */
  readonly size?: number;
}

/** Received bytes and their source, not verified yet. */
export interface Fetched {
  readonly url: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

/** One signer's evidence: the identity, and the proof of the record in their repo. */
export interface SignatureEvidence {
  readonly signer: Did;
  /** did:plc: the directory's audit log (JSON). did:web: the DID document (JSON). */
  readonly identity: Fetched;
  /**
   * The CAR from com.atproto.sync.getRecord; absent where the identity is unusable, so that no PDS could be asked, or
   * where only the tag's record was received.
   */
  readonly record?: Fetched;
  /** The CAR of the tag's record; absent unless the rule checks the tag, and where it could not be fetched. */
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

/** The owner of the handle in the image's name, according to DNS or its https host; not verified yet. */
export interface OwnerAnswer {
  readonly handle: string;
  /** Absent where both sources answered without naming a DID. */
  readonly did?: Did;
  /** `dns:_atproto.HANDLE` or the URL. */
  readonly source: string;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

/** A missing answer. A network failure is evidence too. */
export interface Gap {
  readonly service: "registry" | "identity" | "pds" | "handle";
  /** Whose answer is missing; absent when the registry's list of referrers is, or the handle's owner. */
  readonly signer?: Did;
  readonly code: RejectionCode;
  /** What was tried and what happened, as a sentence. */
  readonly detail: string;
  /** An answer arrived, but too late to be checked: that is not silence (spec 6). */
  readonly answered?: true;
}

/** Codes of a gap without any answer, or without one in time. Everything else is an answer (spec 6). */
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
  /** Absent unless the rule checks the owner, and where the lookup failed. */
  readonly owner?: OwnerAnswer;
}
