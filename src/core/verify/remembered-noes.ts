import type { Tid } from "../atproto/syntax.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { recordPath } from "../evidence/record-path.ts";
import type { Digest } from "../oci/digest.ts";
import type { SignatureFacts } from "./verdict.ts";

/**
 * A proven "no": as of this revision the signer's repo holds no usable record at the path. Of a tag that names another
 * image: none but that one. Evidence from outside of the same or an older revision cannot take it back.
 */
export interface ProvenNo {
  /** Path of the record in the repo. */
  readonly path: string;
  readonly rev: Tid;
  /** The image that the tag was proven to name. */
  readonly except?: Digest;
}

export type RememberedNo = Omit<ProvenNo, "path">;

/** The noes that a node remembers of a signer. */
export interface RememberedNoes {
  /** The newest of each path, by {@link addressOfPath}. */
  readonly noes: ReadonlyMap<string, RememberedNo>;
  /** Noes up to this revision were dropped, so all evidence from outside up to it is refused. */
  readonly floor?: Tid;
}

/** 64 hex digits: a path may be longer than a file's name. */
export function addressOfPath(path: string): string {
  return sha256Hex(toUtf8(path));
}

/** Whether a no replaces another one about the same path. At one revision the one that names an image is more exact. */
export function supersedes(no: RememberedNo, known: RememberedNo | undefined): boolean {
  if (known === undefined || no.rev > known.rev) return true;
  return no.rev === known.rev && no.except !== undefined && known.except === undefined;
}

/**
 * Whether a newer no takes back what this node has cached itself: an imported no reaches the cache by this alone. One of the
 * same revision does not, as some servers once send a proof that ends early.
 */
export function isTakenBack({ digest, rev, tag }: SignatureFacts, { noes }: Pick<RememberedNoes, "noes">): boolean {
  if (noes.size === 0) return false;
  const isGone = (path: string, shown: Tid): boolean => {
    const no = noes.get(addressOfPath(path));
    return no !== undefined && no.rev > shown && no.except !== digest;
  };
  if (isGone(recordPath(digest), rev)) return true;
  return tag !== undefined && !("code" in tag) && tag.claim !== undefined && isGone(tag.address, tag.rev);
}
