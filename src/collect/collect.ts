import type { Identity } from "../atproto/identity.ts";
import type { Did } from "../atproto/syntax.ts";
import { equalBytes } from "../encoding/bytes.ts";
import type { Rule } from "../policy/policy.ts";
import { ineligible } from "../verify/eligibility.ts";
import type { Gap, Pointer, SignatureEvidence, Subject } from "../verify/evidence.ts";
import { Channel } from "./channel.ts";
import { type CollectContext, gapOf } from "./context.ts";
import { type FetchedIdentity, fetchIdentity } from "./identity.ts";
import { fetchRecord } from "./record.ts";
import { searchRegistry } from "./registry.ts";

/** Rules with at most this many signers have each asked without waiting for the registry (spec 3.3). */
const MAX_DIRECT = 16;

/** One piece of evidence as it arrives. */
export type Collected =
  | { readonly kind: "pointer"; readonly pointer: Pointer }
  | { readonly kind: "gap"; readonly gap: Gap }
  /** With the identity that was proven on the way to the record, so that it is proven once. */
  | { readonly kind: "signature"; readonly signature: SignatureEvidence; readonly identity?: Identity };

/**
 * Gathers the evidence for one image, everything at the same time (spec 3). Only signers whom the
 * rule trusts now are ever contacted; a registry's bytes choose among them and choose no host.
 */
export class Collector {
  readonly #subject: Subject;
  readonly #context: CollectContext;
  readonly #channel = new Channel<Collected>();
  /** Who may be asked. */
  readonly #eligible: ReadonlySet<Did>;
  /** Whom we have asked or are asking; each signer is asked once. */
  readonly #asked = new Set<Did>();
  /** The identity first learned of each; taken out when it is asked for again, which happens once. */
  readonly #identities = new Map<Did, FetchedIdentity>();

  constructor(subject: Subject, rule: Rule, context: CollectContext) {
    this.#subject = subject;
    this.#context = context;
    const eligible = rule.requirement.signers.filter((signer) => !ineligible(signer, context.now()));
    this.#eligible = new Set(eligible.map(({ did }) => did));
    // Where nobody could meet the rule, nothing the network says matters.
    if (this.#eligible.size === 0) return;
    if (this.#eligible.size <= MAX_DIRECT) for (const signer of this.#eligible) this.#askSigner(signer);
    this.#channel.run(() =>
      searchRegistry(this.#subject, this.#eligible, this.#context, (item) => this.#fromRegistry(item)),
    );
  }

  /** The next piece of evidence; undefined when all has been gathered. */
  async next(): Promise<Collected | undefined> {
    return this.#channel.receive();
  }

  /**
   * Asks again who a signer is, because a signature did not verify under the key first learned: keys
   * are rotated (spec 3.4). Once for each signer; what comes of it arrives like all other evidence.
   */
  refresh(signer: Did): void {
    const first = this.#identities.get(signer);
    if (first === undefined) return;
    this.#identities.delete(signer);
    this.#channel.run(async () => {
      // A directory behind the others is the likely reason, so the next one is asked first.
      const newer = await this.#identityOf(signer, first.directory + 1);
      if (!("kind" in newer) && !isNews(newer, first)) return;
      this.#channel.push("kind" in newer ? newer : await this.#recordOf(signer, newer));
    });
  }

  #fromRegistry(item: Pointer | Gap): void {
    if ("code" in item) {
      this.#channel.push({ kind: "gap", gap: item });
      return;
    }
    this.#channel.push({ kind: "pointer", pointer: item });
    if (this.#eligible.has(item.signer)) this.#askSigner(item.signer);
  }

  /** Identity, then record: the record is asked for where the identity says. */
  #askSigner(signer: Did): void {
    if (this.#asked.has(signer)) return;
    this.#asked.add(signer);
    this.#channel.run(async () => {
      const found = await this.#identityOf(signer, 0);
      if (!("kind" in found)) this.#identities.set(signer, found);
      this.#channel.push("kind" in found ? found : await this.#recordOf(signer, found));
    });
  }

  /** @param directory the directory to begin with */
  async #identityOf(signer: Did, directory: number): Promise<FetchedIdentity | Collected> {
    try {
      return await fetchIdentity(signer, this.#context, directory);
    } catch (error) {
      return { kind: "gap", gap: gapOf("identity", error, signer) };
    }
  }

  async #recordOf(signer: Did, { fetched, identity }: FetchedIdentity): Promise<Collected> {
    if (identity === undefined) return { kind: "signature", signature: { signer, identity: fetched } };
    try {
      const record = await fetchRecord(identity, this.#subject.digest, this.#context);
      return { kind: "signature", signature: { signer, identity: fetched, record }, identity };
    } catch (error) {
      return { kind: "gap", gap: gapOf("pds", error, signer) };
    }
  }
}

/**
 * Whether a second answer may replace the first: it is another, and its key is not one that the first
 * knew as superseded. Else a directory that lags behind would bring a stolen key back to life.
 */
function isNews(second: FetchedIdentity, first: FetchedIdentity): boolean {
  if (equalBytes(second.fetched.bytes, first.fetched.bytes)) return false;
  const [now, before] = [second.identity, first.identity];
  if (now === undefined || before === undefined) return true;
  return !before.formerKeys.has(now.key.didKey) || now.formerKeys.has(before.key.didKey);
}
