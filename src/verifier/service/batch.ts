import type { IdentityProof } from "../../core/atproto/identity.ts";
import { CheckedCommits } from "../../core/atproto/record-proof.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { Fetched } from "../../core/evidence/evidence.ts";
import type { FreshIdentities } from "../collect/context.ts";

/**
 * What the verifications of one process share, for a run over many images: each signer's identity is fetched and replayed
 * once while it is fresh, and each commit's signature is checked once. Verdicts are not shared.
 */
export class Batch {
  readonly checkedCommits = new CheckedCommits();
  readonly #fetched = new Map<Did, Fetched>();
  readonly #replayed = new WeakMap<Fetched, IdentityProof>();
  /** Lookups under way. */
  readonly #asking = new Map<Did, Promise<unknown>>();

  /** @param stored identities in this node's cache, which other processes share; absent where it is not used */
  identities(stored: FreshIdentities | undefined): FreshIdentities {
    return {
      replayed: this.#replayed,
      find: (signer) => this.#newest(signer, stored?.find(signer)),
      keep: async (digest, signer, identity) => {
        this.#fetched.set(signer, identity);
        await stored?.keep(digest, signer, identity);
      },
      oneAtATime: async (signer, find, ask) => {
        const others = this.#asking.get(signer);
        if (others !== undefined) {
          // A failure is reported where it was asked; this verification then asks for itself.
          await others.catch(() => {});
          const found = await find();
          if (found !== undefined) return found;
        }
        const asking = stored === undefined ? ask() : stored.oneAtATime(signer, find, ask);
        this.#asking.set(signer, asking);
        try {
          return await asking;
        } finally {
          if (this.#asking.get(signer) === asking) this.#asking.delete(signer);
        }
      },
    };
  }

  /** The same object again where nothing newer is stored, so that it is replayed once. */
  #newest(signer: Did, stored: Fetched | undefined): Fetched | undefined {
    const known = this.#fetched.get(signer);
    if (stored === undefined || (known !== undefined && known.fetchedAt >= stored.fetchedAt)) return known;
    this.#fetched.set(signer, stored);
    return stored;
  }
}
