import type { Did } from "../../src/atproto/syntax.ts";
import type { DecideContext } from "../../src/decide/decide.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { Evidence } from "../../src/verify/evidence.ts";
import { NOTHING_REMEMBERED, type Sighting, type SignerMemory } from "../../src/verify/memory.ts";

/** What outlasts a pull, in this process's memory: state/ does the same on disk. */
export class NodeMemory {
  readonly signers = new Map<Did, SignerMemory>();
  /** Kept evidence by `DID DIGEST`. */
  readonly evidence = new Map<string, Evidence>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  context(): Pick<DecideContext, "recall" | "remember" | "keeper"> {
    return {
      recall: async (signer) => this.signers.get(signer) ?? NOTHING_REMEMBERED,
      remember: async (sighting) => this.remember(sighting),
      keeper: {
        keep: async (digest, evidence, signer) => void this.evidence.set(`${signer} ${digest}`, evidence),
        find: async (digest, signer) => this.evidence.get(`${signer} ${digest}`),
        forget: async (signer, digest) => this.#forget(signer, digest),
      },
    };
  }

  remember({ signer, operations = [], key, revs }: Sighting): void {
    const known = this.signers.get(signer) ?? NOTHING_REMEMBERED;
    const keys = new Map(known.keys);
    if (key !== undefined && !keys.has(key)) keys.set(key, this.#now());
    const rev = [...revs, ...(known.rev === undefined ? [] : [known.rev])].toSorted().at(-1);
    const all = new Set([...known.operations, ...operations]);
    this.signers.set(signer, { operations: all, keys, ...(rev === undefined ? {} : { rev }) });
  }

  #forget(signer: Did, digest?: Digest): void {
    for (const key of this.evidence.keys()) {
      if (digest === undefined ? key.startsWith(`${signer} `) : key === `${signer} ${digest}`)
        this.evidence.delete(key);
    }
  }
}
