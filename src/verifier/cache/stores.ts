import type { Did } from "../../core/atproto/syntax.ts";
import type { Sighting, SignerMemory } from "../../core/verify/signer-history.ts";
import type { EvidenceCache } from "../../io/store/evidence-cache.ts";

/** What outlasts a pull. Nothing of it throws. */
export interface Lasting {
  /** What this node remembers of a signer by now (spec 5.7). */
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  /** Remembers what was seen of a signer. */
  readonly remember: (sighting: Sighting) => Promise<void>;
  /** The newest answers of before. */
  readonly cache: Pick<
    EvidenceCache,
    | "holders"
    | "find"
    | "isOver"
    | "keep"
    | "drop"
    | "findTag"
    | "keepTag"
    | "dropTag"
    | "findOwner"
    | "keepOwner"
    | "dropOwner"
  >;
}
