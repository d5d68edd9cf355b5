import { type IdentityProof, identitySteps } from "../../core/atproto/identity.ts";
import type { Steps } from "../../core/atproto/plc-log.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import { assertTimeLeft, type CollectContext } from "./context.ts";

/**
 * Milliseconds for which one log is replayed before other work runs: other signers' logs, and answers that arrive. So
 * a signer with a costly log delays the others by a multiple of this, not by its own cost.
 */
const SLICE = 10;

/**
 * Like `readIdentity`, but checks the clock before each step: no work is done after the deadline.
 *
 * @param bytes attacker-controlled: the audit log or the DID document
 * @throws UnavailableError net.deadline after the deadline; Rejection identity.log_invalid
 */
export async function replayIdentity(
  did: Did,
  bytes: Uint8Array,
  { deadline, proofs }: Pick<CollectContext, "deadline" | "proofs">,
): Promise<IdentityProof> {
  const replay = async (until: Deadline): Promise<IdentityProof> =>
    inSteps(identitySteps(did, bytes), `the identity of ${did}`, { deadline: until });
  return proofs === undefined ? replay(deadline) : proofs.of(did, bytes, deadline, replay);
}

/**
 * Runs all steps, checking the clock before each one.
 *
 * @param what the steps process, for the message
 * @throws UnavailableError net.deadline after the deadline; whatever the steps throw
 */
export async function inSteps<T>(
  steps: Steps<T>,
  what: string,
  { deadline }: Pick<CollectContext, "deadline">,
): Promise<T> {
  let sliceEnds = deadline.remaining() - SLICE;
  for (;;) {
    assertTimeLeft(what, { deadline });
    const { done, value } = steps.next();
    if (done === true) return value;
    if (deadline.remaining() > sliceEnds) continue;
    await new Promise<void>((resume) => setImmediate(resume));
    sliceEnds = deadline.remaining() - SLICE;
  }
}
