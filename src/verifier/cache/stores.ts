import type { CheckedCommits } from "../../core/atproto/record-proof.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { OutsideStore } from "../../core/evidence/outside.ts";
import type { ProvenTime } from "../../core/verify/outside-evidence.ts";
import type { Observation, SignerHistory } from "../../core/verify/signer-history.ts";
import type { EvidenceCache } from "../../io/store/evidence-cache.ts";
import type { SharedProofs } from "../collect/shared-proofs.ts";
import type { ProvenTags } from "./proven-tags.ts";

/** Persistent stores used by a verification. Implementations never throw. */
export interface SharedStores {
  /** Loads the current signer history (spec 5.7). */
  readonly loadHistory: (signer: Did) => Promise<SignerHistory>;
  /** The newest time that this node has proven. */
  readonly provenTime: () => ProvenTime;
  /** Records a time that a seal or an import proves; milliseconds since 1970. */
  readonly recordTime: (time: number) => Promise<void>;
  /** Imported evidence; undefined where this node has none. */
  readonly outside: () => Promise<OutsideStore | undefined>;
  /** Adds an observation to the signer history. */
  readonly recordObservation: (observation: Observation) => Promise<void>;
  /** As in AskContext. */
  readonly checkedCommits?: CheckedCommits;
  /** As in AskContext. */
  readonly proofs?: SharedProofs;
  /** Absent where each process proves cached evidence with a tag again. */
  readonly provenTags?: ProvenTags;
  /** The newest answers of earlier pulls. */
  readonly cache: Pick<
    EvidenceCache,
    | "holders"
    | "find"
    | "isInvalidated"
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
