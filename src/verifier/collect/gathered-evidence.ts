import type { CheckedCommits } from "../../core/atproto/record-proof.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { Evidence, Gap, OwnerAnswer, Pointer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { attempt, type ProofTarget } from "../../core/verify/prove.ts";
import { extended, findRollback, NO_HISTORY, type SignerHistory } from "../../core/verify/signer-history.ts";
import type { Attempt } from "../../core/verify/verdict.ts";
import type { Collected, UnprovenAbsence } from "./collect.ts";

/** A signature's evidence and what it proves. */
export interface ProvedSignature {
  readonly evidence: SignatureEvidence;
  readonly attempt: Attempt;
}

/** The evidence that has arrived for one image, and what it proves. */
export class GatheredEvidence {
  readonly examined: ProvedSignature[] = [];
  readonly unprovenAbsences: UnprovenAbsence[] = [];
  readonly sought: ProofTarget;
  readonly #pointers: Pointer[] = [];
  readonly #gaps: Gap[] = [];
  /** What each signer's answers have proven in this pull. */
  readonly #shown = new Map<Did, SignerHistory>();
  #owner: OwnerAnswer | undefined;

  readonly #checked: CheckedCommits | undefined;

  /** @param checked commits that need no second check */
  constructor(sought: ProofTarget, checked?: CheckedCommits) {
    this.sought = sought;
    this.#checked = checked;
  }

  /** @returns the result of proving it, for a signature */
  add(collected: Collected): Attempt | undefined {
    switch (collected.kind) {
      case "pointer":
        this.#pointers.push(collected.pointer);
        return undefined;
      case "gap":
        this.#gaps.push(collected.gap);
        if (collected.absent !== undefined) this.unprovenAbsences.push(collected.absent);
        return undefined;
      case "owner":
        this.#owner = collected.owner;
        return undefined;
      case "signature": {
        const { signature: evidence, proof } = collected;
        const proven = this.#inOrder(attempt(this.sought, evidence, proof, this.#checked));
        this.examined.push({ evidence, attempt: proven });
        return proven;
      }
    }
  }

  /**
   * Compares an answer with the earlier ones of the same signer: a later answer of this pull must not be older
   * (spec 5.7).
   */
  #inOrder(proven: Attempt): Attempt {
    const { observation } = proven;
    if (observation === undefined) return proven;
    const { signer } = observation;
    const shown = this.#shown.get(signer) ?? NO_HISTORY;
    const behind = findRollback(observation, shown);
    if (behind?.code !== "identity.log_rolled_back") this.#shown.set(signer, extended(shown, observation));
    return behind === undefined ? proven : { signer, finding: { signer, ...behind }, observation };
  }

  /** In the form that a judgement takes. */
  known() {
    return {
      attempts: this.examined.map(({ attempt }) => attempt),
      pointers: this.#pointers,
      gaps: this.#gaps,
      ...(this.#owner === undefined ? {} : { owner: this.#owner }),
    };
  }

  evidence(): Evidence {
    const { pointers, gaps, owner } = this.known();
    const signatures = this.examined.map(({ evidence }) => evidence);
    return { pointers, signatures, gaps, ...(owner && { owner }) };
  }
}
