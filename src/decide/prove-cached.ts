import type { IdentityProof } from "../atproto/identity.ts";
import type { Did } from "../atproto/syntax.ts";
import type { CachedEvidence } from "../state/evidence-files.ts";
import type { SignatureEvidence } from "../verify/evidence.ts";
import { attempt, type Sought } from "../verify/prove.ts";
import { tagRecordPath } from "../verify/tag.ts";
import type { Attempt } from "../verify/verdict.ts";
import type { Lasting } from "./lasting.ts";

type Cache = Pick<Lasting["cache"], "findTag" | "isOver">;

/**
 * Proves cached evidence, with what is cached of the tag, where one is sought: each is the newest answer by itself.
 *
 * @param proof who the signer is by now, where that is known
 * @returns undefined where something that was learned since ends it
 */
export function proveCached(
  known: CachedEvidence,
  signer: Did,
  sought: Sought,
  cache: Cache,
  proof?: IdentityProof,
): { readonly signature: SignatureEvidence; readonly attempt: Attempt } | undefined {
  const signature = withTag(known, signer, sought, cache);
  const proven = attempt(sought, signature, proof);
  return "facts" in proven && cache.isOver(proven.facts) ? undefined : { signature, attempt: proven };
}

function withTag(
  { signature: read, proven }: CachedEvidence,
  signer: Did,
  sought: Sought,
  cache: Cache,
): SignatureEvidence {
  const signature = read();
  if (sought.tag === undefined) return signature;
  const repository = sought.repository ?? repositoryOf(proven ?? attempt({ digest: sought.digest }, signature));
  const tag = repository && cache.findTag(signer, tagRecordPath(repository, sought.tag));
  return { ...signature, ...(tag && { tag }) };
}

function repositoryOf(known: ReturnType<typeof attempt>): string | undefined {
  return "facts" in known ? known.facts.claim.repository : undefined;
}
