import type { Did } from "../atproto/syntax.ts";
import type { CachedEvidence } from "../state/evidence-cache.ts";
import type { SignatureEvidence } from "../verify/evidence.ts";
import { attempt, type Sought } from "../verify/prove.ts";
import { tagRecordPath } from "../verify/tag.ts";
import type { Lasting } from "./lasting.ts";

/** Evidence of before with what was heard of the tag, where one is sought: each is the newest answer by itself. */
export function withTag(
  { signature: read, proven }: CachedEvidence,
  signer: Did,
  sought: Sought,
  cache: Pick<Lasting["cache"], "findTag">,
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
