import type { Collected, UnprovenAbsence } from "../collect/collect.ts";
import type { Evidence, Gap, OwnerAnswer, Pointer, SignatureEvidence } from "../verify/evidence.ts";
import { attempt, type Sought } from "../verify/prove.ts";
import type { Attempt } from "../verify/verdict.ts";

/** A signature's evidence and what it proves. */
export interface Examined {
  readonly evidence: SignatureEvidence;
  readonly attempt: Attempt;
}

/** What has arrived about one image, and what it proves. */
export class Findings {
  readonly examined: Examined[] = [];
  readonly unprovenAbsences: UnprovenAbsence[] = [];
  readonly sought: Sought;
  readonly #pointers: Pointer[] = [];
  readonly #gaps: Gap[] = [];
  #owner: OwnerAnswer | undefined;

  constructor(sought: Sought) {
    this.sought = sought;
  }

  /** @returns what a signature came to */
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
        const proven = attempt(this.sought, evidence, proof);
        this.examined.push({ evidence, attempt: proven });
        return proven;
      }
    }
  }

  /** As a judgement wants it. */
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
