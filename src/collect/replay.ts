import { type IdentityProof, identitySteps } from "../atproto/identity.ts";
import type { Did } from "../atproto/syntax.ts";
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
  { deadline }: Pick<CollectContext, "deadline">,
): Promise<IdentityProof> {
  const steps = identitySteps(did, bytes);
  let sliceEnds = deadline.remaining() - SLICE;
  for (;;) {
    stillInTime(`the identity of ${did}`, { deadline });
    const { done, value } = steps.next();
    if (done === true) return value;
    if (deadline.remaining() > sliceEnds) continue;
    await new Promise<void>((resume) => setImmediate(resume));
    sliceEnds = deadline.remaining() - SLICE;
  }
}
