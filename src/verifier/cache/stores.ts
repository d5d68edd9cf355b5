import type { Did } from "../../core/atproto/syntax.ts";
import type { Sighting, SignerMemory } from "../../core/verify/signer-history.ts";
import type { EvidenceCache } from "../../io/store/evidence-cache.ts";

/** Persistent stores used by a verification. Implementations never throw. */
export interface Lasting {
  /** Loads the current signer history (spec 5.7). */
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  /** Adds an observation to the signer history. */
  readonly remember: (sighting: Sighting) => Promise<void>;
  /** The newest answers of earlier pulls. */
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
