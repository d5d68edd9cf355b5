import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import { Deadline } from "../../io/process/deadline.ts";
import { UnavailableError } from "./context.ts";

/** Replays one identity. */
type Replay = (deadline: Deadline) => Promise<IdentityProof>;

interface Replayed {
  readonly signer: Did;
  readonly proof: Promise<IdentityProof>;
}

/**
 * What identities prove that this process replayed before, or is replaying: verifications that share an answer, or find it
 * in the same cache, replay it once. A proof is forgotten with the bytes that prove it.
 */
export class SharedProofs {
  readonly #replayed = new WeakMap<Uint8Array, Replayed>();
  readonly #longest: number;

  /** @param longest milliseconds for one identity, however little time those have who wait for it */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /**
   * @param bytes that are never changed
   * @param deadline of the one who waits; it does not end the replay
   * @throws UnavailableError net.deadline; Rejection identity.log_invalid
   */
  async of(signer: Did, bytes: Uint8Array, deadline: Deadline, replay: Replay): Promise<IdentityProof> {
    if (deadline.remaining() <= 0) throw late(signer);
    const known = this.#replayed.get(bytes);
    const proof = known?.signer === signer ? known.proof : this.#start(signer, bytes, replay);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeOver = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(late(signer)), deadline.remaining());
    });
    try {
      return await Promise.race([proof, timeOver]);
    } finally {
      clearTimeout(timer);
    }
  }

  #start(signer: Did, bytes: Uint8Array, replay: Replay): Promise<IdentityProof> {
    const proof = replay(new Deadline(performance.now() + this.#longest));
    this.#replayed.set(bytes, { signer, proof });
    proof.catch((error: unknown) => {
      // That the time was over proves nothing.
      if (error instanceof UnavailableError) this.#replayed.delete(bytes);
    });
    return proof;
  }
}

function late(signer: Did): UnavailableError {
  const message = `the deadline passed before the identity of ${signer} was checked`;
  return new UnavailableError("net.deadline", message, { answered: true });
}
