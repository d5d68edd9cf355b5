import type { Did } from "../../src/core/atproto/syntax.ts";
import type { Fetched, OwnerAnswer, SignatureEvidence } from "../../src/core/evidence/evidence.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { partTimes } from "../../src/core/verify/freshness.ts";
import { type Aged, isOver, type Mark } from "../../src/core/verify/invalidation.ts";
import { type Proven, withoutTag } from "../../src/core/verify/proof-memo.ts";
import { NOTHING_REMEMBERED, type Sighting, type SignerMemory } from "../../src/core/verify/signer-history.ts";
import type { SignatureFacts } from "../../src/core/verify/verdict.ts";
import type { Ending } from "../../src/io/store/evidence-files.ts";
import type { DecideContext } from "../../src/verifier/service/gather-and-judge.ts";

/** What outlasts a pull, in this process's memory: state/ does the same on disk. */
export class NodeMemory {
  readonly signers = new Map<Did, SignerMemory>();
  /** Kept evidence by `DID DIGEST`. */
  readonly evidence = new Map<string, { signature: SignatureEvidence; proven: Proven }>();
  /** By `DID ADDRESS`. */
  readonly tags = new Map<string, Fetched>();
  readonly owners = new Map<string, OwnerAnswer>();
  /** Nobody is taken from here unless a test says so: most ask again and again, and want to be answered anew. */
  readonly identities = new Map<Did, Fetched>();
  remembersIdentities = false;
  /** What has ended, by DID; addresses are digests and paths of tags. */
  readonly marks = new Map<Did, readonly Mark[]>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  context(): Pick<DecideContext, "recall" | "remember" | "cache" | "identities"> {
    const { evidence, tags, owners } = this;
    return {
      recall: async (signer) => this.signers.get(signer) ?? NOTHING_REMEMBERED,
      remember: async (sighting) => this.remember(sighting),
      cache: {
        holders: (digest, among) => among.filter((signer) => evidence.has(keyOf(signer, digest))),
        find: (signer, digest) => {
          const kept = evidence.get(keyOf(signer, digest));
          if (kept === undefined || this.#isOver(kept.proven.facts, kept.signature)) return undefined;
          const source = kept.signature.identity.url;
          return { times: partTimes(kept.signature), source, proven: kept.proven, signature: () => kept.signature };
        },
        isOver: (facts) => this.#isOver(facts),
        keep: async (digest, { signer, identity, record }, proven) => {
          if (record === undefined || this.#isOver(proven.facts, { signer, identity, record })) return;
          evidence.set(keyOf(signer, digest), { signature: { signer, identity, record }, proven: withoutTag(proven) });
        },
        drop: async (signer, ending, digest) => {
          this.#drop(signer, ending, digest);
          return 0;
        },
        findTag: (signer, address) => {
          const tag = tags.get(`${signer} ${address}`);
          return tag && this.#ends(signer, [{ address, askedAt: tag.fetchedAt }]) ? undefined : tag;
        },
        keepTag: async (_, address, { signer, tag }) => void (tag && tags.set(`${signer} ${address}`, tag)),
        dropTag: async (signer, address, ending) => {
          this.#mark(signer, ending, address);
          tags.delete(`${signer} ${address}`);
        },
        findOwner: (handle) => owners.get(handle),
        keepOwner: async (_, owner) => void owners.set(owner.handle, owner),
        dropOwner: async (handle) => void owners.delete(handle),
      },
      identities: {
        find: (signer) => (this.remembersIdentities ? this.identities.get(signer) : undefined),
        keep: async (_, signer, identity) => void this.identities.set(signer, identity),
        oneAtATime: async (_, find, ask) => (await find()) ?? ask(),
      },
    };
  }

  remember({ signer, operations = [], key, revs }: Sighting): void {
    const known = this.signers.get(signer) ?? NOTHING_REMEMBERED;
    const keys = new Map(known.keys);
    if (key !== undefined && !keys.has(key)) keys.set(key, this.#now());
    const rev = [...revs, ...(known.rev === undefined ? [] : [known.rev])].toSorted().at(-1);
    const all = new Set([...known.operations, ...operations]);
    this.signers.set(signer, { ...known, operations: all, keys, ...(rev === undefined ? {} : { rev }) });
  }

  #drop(signer: Did, ending: Ending, digest?: Digest): void {
    this.#mark(signer, ending, digest);
    if (digest !== undefined) {
      this.evidence.delete(keyOf(signer, digest));
      return;
    }
    this.identities.delete(signer);
    for (const kept of [this.evidence, this.tags]) {
      for (const key of kept.keys()) if (key.startsWith(`${signer} `)) kept.delete(key);
    }
  }

  #mark(signer: Did, { now, rev }: Ending, address?: string): void {
    const mark = { ...(address !== undefined && { address }), time: now, ...(rev && { rev, isInclusive: true }) };
    this.marks.set(signer, [...(this.marks.get(signer) ?? []), mark]);
  }

  #isOver({ signer, digest, rev, tag }: SignatureFacts, signature?: SignatureEvidence): boolean {
    const askedAt = signature?.record?.fetchedAt ?? Number.POSITIVE_INFINITY;
    const parts: Aged[] = [{ address: digest, askedAt, rev }];
    if (signature !== undefined) parts.push({ askedAt: signature.identity.fetchedAt });
    if (tag !== undefined && "address" in tag)
      parts.push({ address: tag.address, askedAt: Number.POSITIVE_INFINITY, rev: tag.rev });
    return this.#ends(signer, parts);
  }

  #ends(signer: Did, parts: readonly Aged[]): boolean {
    return parts.some((part) => isOver(this.marks.get(signer) ?? [], part));
  }
}

/** As {@link NodeMemory.evidence} names it. */
export function keyOf(signer: Did, digest: Digest): string {
  return `${signer} ${digest}`;
}
