import type { Did } from "../../core/atproto/syntax.ts";

/** Signers of one image that are asked, at most; each costs requests to servers that a stranger may have named. */
export const MAX_SIGNERS = 16;
/** Signers asked at the same time; stops a list of slow servers from opening many connections. */
const PARALLEL = 8;

/** Why somebody is asked: who says that they signed the image. */
export type ClaimSource =
  /** They own the handle in the image's name. */
  | { readonly kind: "owner"; readonly handle: string }
  /** The user named them, by this text. */
  | { readonly kind: "given"; readonly text: string }
  /** A referrer at the registry names them; attacker-controlled. */
  | { readonly kind: "referrer"; readonly url: string; readonly note?: string };

/** A claimed signer, and what was found; absent while, or because, there was no time. */
export interface Claimed<T> {
  readonly did: Did;
  readonly sources: readonly ClaimSource[];
  readonly found?: T;
}

interface Entry<T> {
  readonly sources: ClaimSource[];
  found?: T;
}

/** Sources kept for one signer: a registry may list thousands of referrers that name the same one. */
const MAX_SOURCES = 4;

/**
 * Asks claimed signers as they are found, within the two bounds. Places are reserved for those that the user or the image's
 * name names: what a registry lists, which any stranger may have written, can neither take nor delay them.
 */
export class ClaimedSigners<T> {
  readonly #ask: (did: Did, isStranger: boolean) => Promise<T>;
  readonly #asked = new Map<Did, Entry<T>>();
  /** Signers that only the registry names and that are not asked yet, in its order. */
  readonly #waiting = new Map<Did, Entry<T>>();
  #reserved: number;
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  #settled: (() => void) | undefined;

  /**
   * @param reserved places for named signers; each takes one, or gives one back
   * @param ask never throws because of a peer
   */
  constructor(reserved: number, ask: (did: Did, isStranger: boolean) => Promise<T>) {
    this.#reserved = reserved;
    this.#ask = ask;
  }

  /** A signer in a reserved place. */
  name(did: Did, source: ClaimSource): void {
    this.#reserved--;
    const entry = this.#asked.get(did) ?? this.#waiting.get(did) ?? { sources: [] };
    // In front: it says most about who this is.
    entry.sources.unshift(source);
    this.#waiting.delete(did);
    if (!this.#asked.has(did)) this.#start(did, entry, false);
    this.#advance();
  }

  /** Gives a reserved place back: nobody was found for it. */
  giveBack(): void {
    this.#reserved--;
    this.#advance();
  }

  /** A signer that the registry names. */
  claim(did: Did, source: ClaimSource): void {
    const entry = this.#asked.get(did) ?? this.#waiting.get(did) ?? { sources: [] };
    if (entry.sources.length < MAX_SOURCES) entry.sources.push(source);
    if (!this.#asked.has(did)) this.#waiting.set(did, entry);
    this.#advance();
  }

  /** Waits until nobody is being asked. Call once all sources have ended. */
  async settled(): Promise<void> {
    while (this.#running > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#settled = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Those who are asked: named ones first, then in the registry's order. */
  get asked(): readonly Claimed<T>[] {
    const all = [...this.#asked].map(([did, { sources, found }]) => ({
      did,
      sources: [...sources],
      ...(found !== undefined && { found }),
    }));
    return all.sort((a, b) => rank(a) - rank(b));
  }

  get notAsked(): readonly Did[] {
    return [...this.#waiting.keys()];
  }

  #advance(): void {
    for (const [did, entry] of this.#waiting) {
      if (this.#running + this.#reserved >= PARALLEL || this.#asked.size + this.#reserved >= MAX_SIGNERS) return;
      this.#waiting.delete(did);
      this.#start(did, entry, true);
    }
  }

  #start(did: Did, entry: Entry<T>, isStranger: boolean): void {
    this.#asked.set(did, entry);
    this.#running++;
    const asking = this.#ask(did, isStranger).then(
      (found) => {
        entry.found = found;
      },
      (error: unknown) => {
        this.#failure ??= { error };
      },
    );
    void asking.then(() => {
      this.#running--;
      this.#advance();
      this.#settled?.();
    });
  }
}

function rank({ sources }: Pick<Claimed<unknown>, "sources">): number {
  const kinds = sources.map(({ kind }) => kind);
  return kinds.includes("owner") ? 0 : kinds.includes("given") ? 1 : 2;
}
