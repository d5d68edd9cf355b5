import { type IdentityProof, identitySteps } from "../../core/atproto/identity.ts";
import type { Steps } from "../../core/atproto/plc-log.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import { type CollectContext, stillInTime } from "./context.ts";

/**
 * Milliseconds for which one log is replayed before everything else gets its share: the logs of other signers, and
 * answers that arrive. So a signer with a costly log delays the others by a multiple of this, and not by its own cost.
 */
const SLICE = 10;

/**
 * Replays an identity as `readIdentity` does, with a look at the clock before each step: nothing is worked on after
 * the deadline.
 *
 * @param bytes attacker-controlled: the audit log or the DID document
 * @throws Missing net.deadline where the time is over; Rejection identity.log_invalid
 */
export async function replayIdentity(
  did: Did,
  bytes: Uint8Array,
  context: Pick<CollectContext, "deadline">,
): Promise<IdentityProof> {
  return inSteps(identitySteps(did, bytes), `the identity of ${did}`, context);
}

/**
 * Does such work to its end, with a look at the clock before each step.
 *
 * @param what is worked on
 * @throws Missing net.deadline where the time is over; what the steps throw
 */
export async function inSteps<T>(
  steps: Steps<T>,
  what: string,
  { deadline }: Pick<CollectContext, "deadline">,
): Promise<T> {
  let sliceEnds = deadline.remaining() - SLICE;
  for (;;) {
    stillInTime(what, { deadline });
    const { done, value } = steps.next();
    if (done === true) return value;
    if (deadline.remaining() > sliceEnds) continue;
    await new Promise<void>((resume) => setImmediate(resume));
    sliceEnds = deadline.remaining() - SLICE;
  }
}
