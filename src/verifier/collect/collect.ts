import { isHandle } from "../../core/atproto/handle.ts";
import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { Fetched, Gap, OwnerAnswer, Pointer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { MAX_DIRECT } from "../../core/policy/signers.ts";
import type { Rejection } from "../../core/rejection.ts";
import type { Question } from "../../core/verify/question.ts";
import type { Memory, SignerMemory } from "../../core/verify/signer-history.ts";
import { Channel } from "./channel.ts";
import { type CollectContext, gapOf } from "./context.ts";
import { searchRegistry } from "./discover-referrers.ts";
import { SignerSearch } from "./signer-search.ts";

/** A PDS says that the signer's repo holds no such record, and does not prove it. */
export interface UnprovenAbsence {
  readonly signer: Did;
  /** Of the record, as a path of the repo. */
  readonly path: string;
}

/** Who a signer is, and the answer that proves it. */
export interface ProvenIdentity {
  readonly proof: IdentityProof;
  readonly fetched: Fetched;
}

/** One piece of evidence as it arrives. */
export type Collected =
  | { readonly kind: "pointer"; readonly pointer: Pointer }
  | { readonly kind: "gap"; readonly gap: Gap; readonly absent?: UnprovenAbsence }
  | { readonly kind: "owner"; readonly owner: OwnerAnswer }
  /** With what the identity proved on the way to the record, so that it is proven once. */
  | { readonly kind: "signature"; readonly signature: SignatureEvidence; readonly proof?: IdentityProof | Rejection };

/**
 * Gathers the evidence for one image, everything at the same time (spec 3). Only signers whom the
 * rule trusts now are ever contacted; a registry's bytes choose among them and choose no host.
 */
export class Collector {
  readonly #question: Question;
  readonly #context: CollectContext;
  readonly #channel = new Channel<Collected>();
  /** Whom we have asked or are asking; each signer is asked once. */
  readonly #asked = new Map<Did, SignerSearch>();

  constructor(question: Question, context: CollectContext) {
    this.#question = question;
    this.#context = context;
    const { subject, rule, atcr, asksOwner, eligible } = question;
    // Where nobody could meet the rule, nothing the network says matters.
    if (eligible.size === 0) return;
    if (eligible.size <= MAX_DIRECT) for (const signer of eligible) this.#askSigner(signer);
    if (atcr !== undefined && asksOwner) this.#askOwner(atcr.handle);
    const wanted = { signers: eligible, enough: rule.requirement.minSignatures };
    this.#channel.run(() => searchRegistry(subject, wanted, this.#context, (item) => this.#fromRegistry(item)));
  }

  /** The next piece of evidence; undefined when all has been gathered. */
  async next(): Promise<Collected | undefined> {
    return this.#channel.receive();
  }

  /** What was remembered of each signer before they were asked. */
  get memory(): Memory {
    const known = [...this.#asked].flatMap(([did, { memory }]): [Did, SignerMemory][] =>
      memory === undefined ? [] : [[did, memory]],
    );
    return new Map(known);
  }

  /** What was proven of the identities of signers by now, answers that a newer one replaced included. */
  get identities(): readonly ProvenIdentity[] {
    return [...this.#asked.values()].flatMap(({ identities }) => identities);
  }

  /** What is known of a signer's identity by now, from the network. */
  identityOf(signer: Did): IdentityProof | undefined {
    return this.#asked.get(signer)?.proof;
  }

  /**
   * Asks again who a signer is, because a signature did not verify under the key first learned: keys
   * are replaced, and former ones put back (spec 3.4). Once for each signer; what comes of it arrives like all other evidence.
   */
  refresh(signer: Did): void {
    this.#run(async () => (await this.#asked.get(signer)?.refresh()) ?? []);
  }

  /**
   * Asks a signer's PDS again, because what it showed lies behind what this node has seen: it may have
   * been a replica that lags (spec 5.7). Once for each signer.
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

  /** The handle comes from the image's name, as the registry does; a name without one is for the core to refuse. */
  #askOwner(handle: string): void {
    if (!isHandle(handle)) return;
    this.#run(async () => {
      try {
        const { fetchOwner } = await import("./resolve-handle.ts");
        const owner = await fetchOwner(handle, this.#context);
        // A pointer like a registry's: it chooses among the signers that the rule trusts, and proves nothing.
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
