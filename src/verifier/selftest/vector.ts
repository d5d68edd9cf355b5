import type { Witness } from "../../core/evidence/outside.ts";
import type { RejectionCode, RejectionKind } from "../../core/rejection.ts";
import type { NotEnforced } from "../../core/verify/answer.ts";
import type { Allow } from "../../core/verify/verdict.ts";

/** A verification request with all its evidence, and the only correct result. */
export interface Vector {
  /** File name: the result, and what the case is about. */
  readonly file: string;
  /** What the case is about, as a sentence. */
  readonly description: string;
  /** Text of the policy file. */
  readonly policy: string;
  /** Full image name without digest. */
  readonly name: string;
  readonly digest: string;
  /** As the registry served it; absent where the caller did not know it. */
  readonly mediaType?: string;
  /** RFC 3339 */
  readonly now: string;
  /** The lines of a saved bundle (core/evidence/bundle.ts), possibly malformed. */
  readonly bundle: readonly unknown[];
  /** Of evidence from outside: who answers for it. Absent: it is judged as if it had just been gathered. */
  readonly witness?: Witness["kind"];
  readonly expected: Expected;
}

export interface Expected {
  /** `allow`, or the kind of the rejection. */
  readonly outcome: "allow" | RejectionKind;
  /** The headline code; with `because: audited`, the code of the refusal that was not enforced. */
  readonly code?: RejectionCode;
  /** Only with `allow`. */
  readonly because?: (Allow | NotEnforced)["because"]["kind"];
}
