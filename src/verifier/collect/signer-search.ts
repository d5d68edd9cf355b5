import type { IdentityProof } from "../../core/atproto/identity.ts";
import { type Did, isPlc } from "../../core/atproto/syntax.ts";
import { equalBytes } from "../../core/encoding/bytes.ts";
import type { Fetched, Gap, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { recordAddress, tagRecordAddress } from "../../core/evidence/record-path.ts";
import { Rejection } from "../../core/rejection.ts";
import { attempt, observationOf, type ProofTarget } from "../../core/verify/prove.ts";
import { extended, NO_HISTORY, type SignerHistory } from "../../core/verify/signer-history.ts";
import { identify, NO_DIRECTORY } from "./cached-identity.ts";
import type { Collected, ProvenIdentity } from "./collect.ts";
import { type CollectContext, gapOf, UnavailableError } from "./context.ts";
import { type FetchedIdentity, fetchIdentity } from "./fetch-identity.ts";
import { fetchRecord } from "./fetch-record.ts";

/** Milliseconds to let a lagging replica catch up. */
const PAUSE = 250;

/** Fetches one signer's identity and records for one image. */
export class SignerSearch {
  /** The signer history before the requests; undefined until it is loaded. */
  memory: SignerHistory | undefined;
  readonly #signer: Did;
  readonly #sought: ProofTarget;
  readonly #context: CollectContext;
  #identity: FetchedIdentity | undefined;
  /** The identities that were used, newest last. */
  readonly identities: ProvenIdentity[] = [];
  /** Retries left: each of the two kinds is available once. */
  readonly #open = new Set(["refresh", "again"]);

  constructor(signer: Did, sought: ProofTarget, context: CollectContext) {
    this.#signer = signer;
    this.#sought = sought;
    this.#context = context;
  }

  get proof(): IdentityProof | undefined {
    return this.#identity?.proof;
  }

  /** Fetches the identity, then the records from the PDS that it names. */
  async ask(): Promise<readonly Collected[]> {
    this.memory = await this.#context.deadline.track("the signer history", () =>
      this.#context.loadHistory(this.#signer),
    );
    const { memory } = this;
    const first = await this.#identified(() => identify(this.#signer, this.#sought.digest, this.#context, memory));
    // The signer may have moved to another PDS since the identity was cached. A PDS that proved anything is the right one.
    const isServed = first.some(({ kind }) => kind === "signature");
    if (!this.#isCached() || isServed || this.#context.deadline.remaining() <= 0) return first;
    const second = await this.refresh();
    return second.some(({ kind }) => kind === "signature") ? second : [...first, ...second];
  }

  /**
   * Fetches the identity once more, starting with the next directory, which may be ahead of the first. A log is used
   * only if it has every operation of the first one: otherwise a lagging directory could restore a revoked key. A
   * did:web has no history that shows which of two documents is newer, so it is fetched again only if the first
   * document was cached.
   */
  async refresh(): Promise<readonly Collected[]> {
    const first = this.#identity;
    if (first?.proof === undefined || !this.#open.delete("refresh")) return [];
    if (!isPlc(this.#signer) && !this.#isCached()) return [];
    const known = extended(this.memory ?? NO_HISTORY, {
      ...observationOf(first.proof, first.fetched.fetchedAt),
      revs: [],
    });
    return this.#identified(() => fetchIdentity(this.#signer, this.#context, known, first.directory + 1));
  }

  /** Asks only the PDS once more, after a pause; undefined where that was already done. */
  again(): Promise<readonly Collected[]> | undefined {
    const identity = this.#identity;
    if (identity?.proof === undefined || !this.#open.delete("again")) return undefined;
    return this.#afterPause(identity);
  }

  async #afterPause(identity: FetchedIdentity): Promise<readonly Collected[]> {
    const pause = Math.min(PAUSE, this.#context.deadline.remaining());
    await this.#context.deadline.track(
      "a second answer of the PDS",
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
    // An invalid log is evidence, but does not replace an identity.
    if (first === undefined || found.proof !== undefined) this.#identity = found;
    if (found.proof !== undefined) this.identities.push({ proof: found.proof, fetched: found.fetched });
    return this.#records(found);
  }

  /** Fetches the record of the digest, and in parallel that of the tag where its address is known. */
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
        const saysAbsent = error instanceof UnavailableError && error.saysAbsent;
        gaps.push({ kind: "gap", gap: gapOf("pds", error, this.#signer) satisfies Gap, ...(saysAbsent && { absent }) });
        return undefined;
      }
    };
    const { digest, tag, repository } = this.#sought;
    const isEarly = tag !== undefined && repository !== undefined && order === undefined;
    const early = isEarly ? fetch(tagRecordAddress(repository, tag)) : undefined;
    const record = await fetch(recordAddress(digest));
    if (record === undefined) {
      // The tag's record alone is an answer too: stale evidence must not replace it.
      const tagAlone = await early;
      return tagAlone === undefined ? gaps : [...gaps, found({ ...known, tag: tagAlone })];
    }
    const signature = { ...known, record };
    const tagProof = await (early ?? this.#tagOf(signature, proof, fetch));
    return [...gaps, found({ ...signature, ...(tagProof && { tag: tagProof }) })];
  }

  /** The tag's record. Its repository is in the image's name, or else in the digest's record. */
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
