import { CheckedCommits } from "../../core/atproto/record-proof.ts";
import type { Config } from "../../core/config/config.ts";
import type { OutsideStore } from "../../core/evidence/outside.ts";
import type { Environment } from "../../io/process/environment.ts";
import { HistoryMemo } from "../../io/store/history-memo.ts";
import { HistoryWrites } from "../../io/store/history-writes.ts";
import { MemoryCache } from "../../io/store/memory-cache.ts";
import { ProvenTags } from "../cache/proven-tags.ts";
import { SharedProofs } from "../collect/shared-proofs.ts";
import { HostLimits } from "./host-limits.ts";
import type { Network, openNetwork } from "./network.ts";
import { openHistory, type StoreConfig, type Stores, type StoreWarnings } from "./open-stores.ts";
import type { Session } from "./session.ts";
import { SharedNetwork } from "./shared-network.ts";

/** Most milliseconds to replay one identity: the longest deadline that can be configured. */
const LONGEST_REPLAY = 60_000;

/** How much of what a {@link ServerMemory} bounds there is now. */
export interface MemorySizes {
  /** Cached evidence: records, identities, tags and owners. */
  readonly pieces: number;
  /** Of that evidence, as it is bounded. */
  readonly bytes: number;
  readonly marks: number;
  /** Signers whose history was read. */
  readonly histories: number;
  /** Requests that wait for their turn at a host. */
  readonly waiting: number;
}

/**
 * What a process that verifies for months keeps between verifications, all of it bounded. Evidence is cached here instead of
 * in cacheDir; the signer history stays in stateDir, and only what is unchanged there is not read again. Verifications
 * share requests under way and what was proven of an identity or a commit, and never a verdict
 * (docs/decisions/0071-server-memory.md).
 *
 * Verifiers with different policies share one. They share requests only where they have the same Config object, since what
 * may be asked depends on it.
 */
export class ServerMemory {
  readonly #cache = new MemoryCache();
  readonly #histories = { memo: new HistoryMemo(), writes: new HistoryWrites() };
  readonly #limits = new HostLimits();
  readonly #networks = new WeakMap<Config, SharedNetwork>();
  readonly #proven = {
    checkedCommits: new CheckedCommits(),
    proofs: new SharedProofs(LONGEST_REPLAY),
    provenTags: new ProvenTags(),
  };

  get sizes(): MemorySizes {
    return { ...this.#cache.sizes, histories: this.#histories.memo.count, waiting: this.#limits.waiting };
  }

  /** The network of a configuration, opened once. */
  networkOf(config: Config, environment: Environment, open: typeof openNetwork): Network {
    const known = this.#networks.get(config);
    if (known !== undefined) return known;
    const network = new SharedNetwork(open(config, environment), config, this.#limits);
    this.#networks.set(config, network);
    return network;
  }

  /** As {@link openStores}; without locks, as verifications share requests instead of waiting for each other. */
  openStores(
    config: StoreConfig,
    session: Pick<Session, "now">,
    warnings: StoreWarnings,
    outside?: OutsideStore,
  ): Stores {
    const history = openHistory(config, session, warnings, outside, this.#histories);
    const own = { cache: this.#cache, isCacheShared: () => false };
    // For an image that is signed, registries must not be asked about thousands of pods in vain: they limit requests.
    return { ...history, ...this.#proven, ...own, isBatch: true };
  }
}
