import type { Fetched, SignatureEvidence } from "../../core/evidence/evidence.ts";
import type { ProofTarget } from "../../core/verify/prove.ts";
import type { Attempt } from "../../core/verify/verdict.ts";

interface Known {
  readonly identity: Fetched;
  readonly record: Fetched | undefined;
  readonly target: string;
  readonly attempt: Attempt;
}

/**
 * What cached evidence with a tag proved before in this process: it does not change while the answers are the same objects,
 * and is forgotten with that about the tag.
 */
export class ProvenTags {
  readonly #known = new WeakMap<Fetched, Known>();

  /** @param prove takes this evidence and this target; called where it was not proven before */
  of({ identity, record, tag }: SignatureEvidence, sought: ProofTarget, prove: () => Attempt): Attempt {
    if (tag === undefined) return prove();
    const target = JSON.stringify([sought.digest, sought.tag, sought.repository]);
    const known = this.#known.get(tag);
    const isSame = known?.identity === identity && known.record === record && known.target === target;
    if (isSame) return known.attempt;
    const attempt = prove();
    this.#known.set(tag, { identity, record, target, attempt });
    return attempt;
  }
}
