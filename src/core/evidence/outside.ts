import type { Did } from "../atproto/syntax.ts";
import type { Digest } from "../oci/digest.ts";
import type { Fetched, OwnerAnswer, SignatureEvidence } from "./evidence.ts";

/**
 * Who answers for the time of evidence that this node did not gather itself, and for what in it does not prove itself.
 * Times are milliseconds since 1970. The window of `offlineFor` counts from `at`; neither a commit's revision nor a date
 * in a log can be a witness, as the signer chooses the one and the directory the other.
 */
export type Witness =
  /** A key of `bundleKeys` sealed the bundle (did:key); `at` is the bundle's gatheredAt. */
  | { readonly kind: "seal"; readonly key: string; readonly at: number }
  /** Root imported it; `at` is the earlier of gatheredAt and the first import. */
  | { readonly kind: "import"; readonly at: number }
  /** Nobody: a bundle that was named on the command line; `at` is its own claim. */
  | { readonly kind: "none"; readonly at: number };

/** One signature's evidence from a bundle or an attachment. Everything in it is as untrusted as the network. */
export interface OutsideEvidence {
  readonly signature: SignatureEvidence;
  /** The owner of the handle in the image's name, where it was gathered with it. */
  readonly owner?: OwnerAnswer;
  /** Path of the tag's record that it is about; absent where it has none, or where nothing says which. */
  readonly tag?: string;
  readonly witness: Witness;
  /** When the bundle claims to have been gathered; milliseconds since 1970. */
  readonly gatheredAt: number;
}

/** An identity from outside, for all evidence of its signer. */
export interface OutsideIdentity {
  readonly identity: Fetched;
  readonly witness: Witness;
}

/** Why a signer's newest identity cannot be used: what it says against their evidence is not known. */
export interface UnusableIdentity {
  readonly unusable: string;
}

/** Imported evidence. Implementations never throw: what cannot be used is reported and is absent here. */
export interface OutsideStore {
  /** Where it lies, for messages. */
  readonly place: string;
  /** @param tag path of the tag's record in the repo, where it is needed; without evidence of it, that of the digest */
  find(digest: Digest, signer: Did, tag?: string): OutsideEvidence | undefined;
  /** The newest identity of the signer in any bundle: for a did:plc the log with the most operations. */
  newestLog(signer: Did): OutsideIdentity | UnusableIdentity | undefined;
}

/** Whether a key or an import that this node trusts vouches for it: then a did:web and the owner of a handle count. */
export function isWitnessed({ kind }: Witness): boolean {
  return kind !== "none";
}
