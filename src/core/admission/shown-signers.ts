import { printable } from "../encoding/printable.ts";
import { formatDateTime } from "../encoding/time.ts";
import type { Answer } from "../verify/answer.ts";

/** A signature that counts, as answers to other programs show it: the keys of the original document. */
export interface ShownSigner {
  readonly did: string;
  /** Claimed by the signer's identity; absent without one. */
  readonly handle?: string;
  /** The record's createdAt, claimed by the signer (RFC 3339). */
  readonly signedAt: string;
}

/** Signers of one image that an answer lists; a rule may require more. */
const MAX_SHOWN = 16;

/** Signers whose signatures count; none where no signature was verified. */
export function shownSigners(answer: Answer): readonly ShownSigner[] {
  if (answer.outcome !== "allow" || answer.because.kind !== "signed") return [];
  return answer.because.signatures.slice(0, MAX_SHOWN).map(({ signer, handles: [handle], claim }) => ({
    did: signer,
    ...(handle !== undefined && { handle: printable(handle) }),
    signedAt: formatDateTime(claim.createdAt),
  }));
}
