import type { EvidenceCache } from "../state/evidence-cache.ts";
import type { Sighting } from "../verify/memory.ts";

/** What outlasts a pull. Nothing of it throws. */
export interface Lasting {
  /** Remembers what was seen of a signer. */
  readonly remember: (sighting: Sighting) => Promise<void>;
  /** The newest answers of before. */
  readonly cache: Pick<
    EvidenceCache,
    "holders" | "find" | "keep" | "drop" | "findTag" | "keepTag" | "dropTag" | "findOwner" | "keepOwner" | "dropOwner"
  >;
}
