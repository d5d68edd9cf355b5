import type { Rule } from "../policy/policy.ts";
import type { EvidenceCache } from "../state/evidence-cache.ts";
import type { Evidence, Subject } from "../verify/evidence.ts";
import type { Sighting } from "../verify/memory.ts";

/** What outlasts a pull. Nothing of it throws. */
export interface Lasting {
  /** Remembers what was seen of a signer. */
  readonly remember: (sighting: Sighting) => Promise<void>;
  /** Remembers for a moment what did not allow an image. */
  readonly rememberRefusal: (subject: Subject, rule: Rule, evidence: Evidence) => Promise<void>;
  /** The newest answers of before. */
  readonly cache: Pick<
    EvidenceCache,
    "holders" | "find" | "keep" | "drop" | "findTag" | "keepTag" | "dropTag" | "findOwner" | "keepOwner" | "dropOwner"
  >;
}
