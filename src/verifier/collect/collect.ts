import { isHandle } from "../../core/atproto/handle.ts";
import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { Fetched, Gap, OwnerAnswer, Pointer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { MAX_DIRECT } from "../../core/policy/signers.ts";
import type { Rejection } from "../../core/rejection.ts";
import type { Question } from "../../core/verify/question.ts";
import type { SignerHistories, SignerHistory } from "../../core/verify/signer-history.ts";
import { Channel } from "./channel.ts";
import { type CollectContext, gapOf } from "./context.ts";
import { searchRegistry } from "./discover-referrers.ts";
import { SignerSearch } from "./signer-search.ts";

/** A PDS claims, without proof, that the signer's repo has no such record. */
export interface UnprovenAbsence {
  readonly signer: Did;
  /** Path of the record in the repo. */
  readonly path: string;
}

/** A signer's identity, and the answer that proves it. */
export interface ProvenIdentity {
  readonly proof: IdentityProof;
  readonly fetched: Fetched;
}

/** One piece of evidence as it arrives. */
export type Collected =
  | { readonly kind: "pointer"; readonly pointer: Pointer }
  | { readonly kind: "gap"; readonly gap: Gap; readonly absent?: UnprovenAbsence }
  | { readonly kind: "owner"; readonly owner: OwnerAnswer }
  /** With the identity as already proven, so that it is proven only once. */
  | { readonly kind: "signature"; readonly signature: SignatureEvidence; readonly proof?: IdentityProof | Rejection };

/**
 * Gathers the evidence for one image, all in parallel (spec 3). Only signers that the rule trusts now are contacted:
 * a registry's answer selects among them and never names a host.
 */
export class Collector {
  readonly #question: Question;
  readonly #context: CollectContext;
  readonly #channel = new Channel<Collected>();
  /** Signers contacted so far; each one is contacted once. */
  readonly #asked = new Map<Did, SignerSearch>();
  /** The registry's search, where it waits until the signers asked directly have answered. */
  #later: (() => Promise<void>) | undefined;

  constructor(question: Question, context: CollectContext) {
    this.#question = question;
    this.#context = context;
    const { subject, rule, atcr, asksOwner, eligible } = question;
    // Without an eligible signer no answer could meet the rule.
    if (eligible.size === 0) return;
    if (eligible.size <= MAX_DIRECT) for (const signer of eligible) this.#askSigner(signer);
    if (atcr !== undefined && asksOwner) this.#askOwner(atcr.handle);
    const wanted = { signers: eligible, enough: rule.requirement.minSignatures };
    const search = () => searchRegistry(subject, wanted, this.#context, (item) => this.#fromRegistry(item));
    if (context.isBatch && this.#asked.size > 0) this.#later = search;
    else this.#channel.run(search);
  }

  /** The next piece of evidence; undefined when all has been gathered. */
  async next(): Promise<Collected | undefined> {
    const item = await this.#channel.receive();
    const later = this.#later;
    if (item !== undefined || later === undefined) return item;
    this.#later = undefined;
    this.#channel.run(later);
    return this.#channel.receive();
  }

  /** Leaves out the registry's search where it still waits; who was asked may still answer. */
  searchNoFurther(): void {
    this.#later = undefined;
  }

  /** The history of each contacted signer before the requests. */
  get memory(): SignerHistories {
    const known = [...this.#asked].flatMap(([did, { memory }]): [Did, SignerHistory][] =>
      memory === undefined ? [] : [[did, memory]],
    );
    return new Map(known);
  }

  /** All identities proven so far, including those that a newer answer replaced. */
  get identities(): readonly ProvenIdentity[] {
    return [...this.#asked.values()].flatMap(({ identities }) => identities);
  }

  /** A signer's identity as fetched in this pull, so far. */
  identityOf(signer: Did): IdentityProof | undefined {
    return this.#asked.get(signer)?.proof;
  }

  /**
   * Fetches a signer's identity again, because a signature did not verify with the key fetched first: keys are
   * rotated, and former ones restored (spec 3.4). At most once per signer; the result arrives like all other evidence.
   */
  refresh(signer: Did): void {
    this.#run(async () => (await this.#asked.get(signer)?.refresh()) ?? []);
  }

  /**
   * Asks a signer's PDS again, because its answer is behind the signer history: it may come from a lagging replica
   * (spec 5.7). At most once per signer.
   *
   * @returns whether it is asked again
   */
  askAgain(signer: Did): boolean {
    const again = this.#asked.get(signer)?.again();
    if (again !== undefined) this.#run(() => again);
    return again !== undefined;
  }

  #fromRegistry(item: Pointer | Gap): void {
    if ("code" in item) {
      this.#channel.push({ kind: "gap", gap: item });
      return;
    }
    this.#channel.push({ kind: "pointer", pointer: item });
    if (this.#question.eligible.has(item.signer)) this.#askSigner(item.signer);
  }

  #askSigner(signer: Did): void {
    if (this.#asked.has(signer)) return;
    const search = new SignerSearch(signer, this.#question.target, this.#context);
    this.#asked.set(signer, search);
    this.#run(() => search.ask());
  }

  /** The handle comes from the image's name. A name without one is rejected by the core (spec 5.8). */
  #askOwner(handle: string): void {
    if (!isHandle(handle)) return;
    this.#run(async () => {
      try {
        const { fetchOwner } = await import("./resolve-handle.ts");
        const owner = await fetchOwner(handle, this.#context);
        // Like a registry's pointer, it selects among the signers that the rule trusts and proves nothing.
        if (owner.did !== undefined && this.#question.eligible.has(owner.did)) this.#askSigner(owner.did);
        return [{ kind: "owner", owner }];
      } catch (error) {
        return [{ kind: "gap", gap: gapOf("handle", error) }];
      }
    });
  }

  #run(task: () => Promise<readonly Collected[]>): void {
    this.#channel.run(async () => {
      for (const item of await task()) this.#channel.push(item);
    });
  }
}
