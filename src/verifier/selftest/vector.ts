import type { RejectionCode, RejectionKind } from "../../core/rejection.ts";
import type { NotEnforced } from "../../core/verify/answer.ts";
import type { Allow } from "../../core/verify/verdict.ts";

/** One question with all that is known about it, and the one right answer. */
export interface Vector {
  /** Its name: the answer, and what is special about it. */
  readonly file: string;
  /** What is special about it, as a sentence. */
  readonly description: string;
  /** Text of the policy file. */
  readonly policy: string;
  /** Full image name without digest. */
  readonly name: string;
  readonly digest: string;
  /** As the registry served it; absent where the caller did not know. */
  readonly mediaType?: string;
  /** RFC 3339 */
  readonly now: string;
  /** A saved bundle as JSON (core/evidence/bundle.ts), possibly malformed. */
  readonly bundle: unknown;
  readonly expected: Expected;
}

export interface Expected {
  /** An outcome, or the kind of rejection that there is instead. */
  readonly outcome: "allow" | RejectionKind;
  /** The headline; under `because: audited` that of the refusal which was not enforced. */
  readonly code?: RejectionCode;
  /** For `allow` alone. */
  readonly because?: (Allow | NotEnforced)["because"]["kind"];
}
