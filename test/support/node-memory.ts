import type { Did } from "../../src/atproto/syntax.ts";
import type { DecideContext } from "../../src/decide/decide.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { Evidence } from "../../src/verify/evidence.ts";
import type { KeptKey } from "../../src/verify/kept.ts";
import { NOTHING_REMEMBERED, type Sighting, type SignerMemory } from "../../src/verify/memory.ts";

/** What outlasts a pull, in this process's memory: state/ does the same on disk. */
export class NodeMemory {
  readonly signers = new Map<Did, SignerMemory>();
  /** Kept evidence by `DID DIGEST NAME`. */
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
        keep: async (key, evidence) => void this.evidence.set(keyOf(key), evidence),
        find: async (key) => this.evidence.get(keyOf(key)),
        forget: async (signer, what = {}) => this.#forget((key) => key.signer === signer && fits(key, what)),
        supersede: async ({ signer, digest, name }) =>
          this.#forget((key) => key.signer === signer && key.name === name && key.digest !== digest),
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

  #forget(isMeant: (key: KeptKey) => boolean): void {
    for (const text of this.evidence.keys()) {
      const [signer, digest, name] = text.split(" ") as [Did, Digest, string];
      if (isMeant({ signer, digest, name })) this.evidence.delete(text);
    }
  }
}

/** As {@link NodeMemory.evidence} names it. */
export function keyOf({ signer, digest, name }: KeptKey): string {
  return `${signer} ${digest} ${name}`;
}

function fits(key: KeptKey, { digest = key.digest, name = key.name }: Partial<KeptKey>): boolean {
  return key.digest === digest && key.name === name;
}
