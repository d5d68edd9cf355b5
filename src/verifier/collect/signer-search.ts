import type { IdentityProof } from "../../core/atproto/identity.ts";
import { type Did, isPlc } from "../../core/atproto/syntax.ts";
import { equalBytes } from "../../core/encoding/bytes.ts";
import { recordAddress } from "../../core/evidence/claim.ts";
import type { Fetched, Gap, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { tagRecordAddress } from "../../core/evidence/tag.ts";
import { Rejection } from "../../core/rejection.ts";
import { attempt, type ProofTarget, sightingOf } from "../../core/verify/prove.ts";
import { extended, NOTHING_REMEMBERED, type SignerMemory } from "../../core/verify/signer-history.ts";
import { identify, NO_DIRECTORY } from "./cached-identity.ts";
import type { Collected, ProvenIdentity } from "./collect.ts";
import { type CollectContext, gapOf, Missing } from "./context.ts";
import { type FetchedIdentity, fetchIdentity } from "./fetch-identity.ts";
import { fetchRecord } from "./fetch-record.ts";

/** Milliseconds that a replica which lags is given to catch up. */
const PAUSE = 250;

/** One signer, asked about one image: who they are, and what their repo says. */
export class SignerSearch {
  /** What this node remembered before it asked; undefined until then. */
  memory: SignerMemory | undefined;
  readonly #signer: Did;
  readonly #sought: ProofTarget;
  readonly #context: CollectContext;
  #identity: FetchedIdentity | undefined;
  /** What each identity proved that was acted upon, the newest last. */
  readonly identities: ProvenIdentity[] = [];
  /** Each of the two ways to ask a second time is open once. */
  readonly #open = new Set(["refresh", "again"]);

  constructor(signer: Did, sought: ProofTarget, context: CollectContext) {
    this.#signer = signer;
    this.#sought = sought;
    this.#context = context;
  }

  get proof(): IdentityProof | undefined {
    return this.#identity?.proof;
  }

  /** Identity, then record: the record is asked for where the identity says. */
  async ask(): Promise<readonly Collected[]> {
    this.memory = await this.#context.deadline.track("this node's memory", () => this.#context.recall(this.#signer));
    const { memory } = this;
    const first = await this.#identified(() => identify(this.#signer, this.#sought.digest, this.#context, memory));
    // The signer may have moved to another PDS since the identity was cached. A PDS that proved anything is theirs.
    const isServed = first.some(({ kind }) => kind === "signature");
    if (!this.#isCached() || isServed || this.#context.deadline.remaining() <= 0) return first;
    const second = await this.refresh();
    return second.some(({ kind }) => kind === "signature") ? second : [...first, ...second];
  }

  /**
   * Asks for the identity once more, beginning with the next directory, which may be ahead of the first one. A
   * log is acted upon only where it holds every operation of the first: else a directory that lags behind would
   * bring an undone key back to life. The host of a did:web has no history to tell which of two documents is the
   * newer one, so it is asked again only where the first document was cached.
   */
  async refresh(): Promise<readonly Collected[]> {
    const first = this.#identity;
    if (first?.proof === undefined || !this.#open.delete("refresh")) return [];
    if (!isPlc(this.#signer) && !this.#isCached()) return [];
    const known = extended(this.memory ?? NOTHING_REMEMBERED, {
      ...sightingOf(first.proof, first.fetched.fetchedAt),
      revs: [],
    });
    return this.#identified(() => fetchIdentity(this.#signer, this.#context, known, first.directory + 1));
  }

  /** The PDS alone, once more, a moment later; undefined where it has been asked again already. */
  again(): Promise<readonly Collected[]> | undefined {
    const identity = this.#identity;
    if (identity?.proof === undefined || !this.#open.delete("again")) return undefined;
    return this.#afterPause(identity);
  }

  async #afterPause(identity: FetchedIdentity): Promise<readonly Collected[]> {
    const pause = Math.min(PAUSE, this.#context.deadline.remaining());
    await this.#context.deadline.track(
      "another answer of the PDS",
      async () => new Promise((done) => setTimeout(done, pause)),
    );
    return this.#records(identity, "one by one");
  }

  #isCached(): boolean {
    return this.#identity?.directory === NO_DIRECTORY;
  }

  async #identified(asking: () => Promise<FetchedIdentity>): Promise<readonly Collected[]> {
    let found: FetchedIdentity;
    try {
      found = await asking();
    } catch (error) {
      return [{ kind: "gap", gap: gapOf("identity", error, this.#signer) }];
    }
    const first = this.#identity;
    if (first !== undefined && (found.isBehind || equalBytes(found.fetched.bytes, first.fetched.bytes))) return [];
    // A log that does not prove itself is evidence, and replaces nothing.
    if (first === undefined || found.proof !== undefined) this.#identity = found;
    if (found.proof !== undefined) this.identities.push({ proof: found.proof, fetched: found.fetched });
    return this.#records(found);
  }

  /** The record of the digest, and that of the tag at the same time where its address is known. */
  async #records({ fetched, proven, proof }: FetchedIdentity, order?: "one by one"): Promise<readonly Collected[]> {
    const identity = proof?.current;
    const known = { signer: this.#signer, identity: fetched };
    const found = (signature: SignatureEvidence): Collected => ({
      kind: "signature",
      signature,
      proof: proven,
    });
    if (identity === undefined || identity instanceof Rejection) return [found(known)];

    const gaps: Collected[] = [];
    const fetch = async (address: Parameters<typeof fetchRecord>[1]): Promise<Fetched | undefined> => {
      try {
        return await fetchRecord(identity, address, this.#context);
      } catch (error) {
        const absent = { signer: this.#signer, path: `${address.collection}/${address.rkey}` };
        const saysAbsent = error instanceof Missing && error.saysAbsent;
        gaps.push({ kind: "gap", gap: gapOf("pds", error, this.#signer) satisfies Gap, ...(saysAbsent && { absent }) });
        return undefined;
      }
    };
    const { digest, tag, repository } = this.#sought;
    const isEarly = tag !== undefined && repository !== undefined && order === undefined;
    const early = isEarly ? fetch(tagRecordAddress(repository, tag)) : undefined;
    const record = await fetch(recordAddress(digest));
    if (record === undefined) {
      // What was heard of the tag alone is an answer all the same, whose place no evidence of before may take.
      const tagAlone = await early;
      return tagAlone === undefined ? gaps : [...gaps, found({ ...known, tag: tagAlone })];
    }
    const signature = { ...known, record };
    const tagProof = await (early ?? this.#tagOf(signature, proof, fetch));
    return [...gaps, found({ ...signature, ...(tagProof && { tag: tagProof }) })];
  }

  /** Where the image's name does not say which repository of the signer it is, the record does. */
  async #tagOf(
    signature: SignatureEvidence,
    proof: IdentityProof | undefined,
    fetch: (address: Parameters<typeof fetchRecord>[1]) => Promise<Fetched | undefined>,
  ): Promise<Fetched | undefined> {
    const { tag, repository } = this.#sought;
    if (tag === undefined) return undefined;
    if (repository !== undefined) return fetch(tagRecordAddress(repository, tag));
    const proven = attempt(this.#sought, signature, proof);
    return "facts" in proven ? fetch(tagRecordAddress(proven.facts.claim.repository, tag)) : undefined;
  }
}
