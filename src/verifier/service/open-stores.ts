import type { Config } from "../../core/config/config.ts";
import type { OutsideStore } from "../../core/evidence/outside.ts";
import { PROGRAM } from "../../core/version.ts";
import type { Warn } from "../../core/warning.ts";
import { mayUse } from "../../io/fs/access.ts";
import type { CacheKey } from "../../io/store/cache-key.ts";
import { EvidenceCache } from "../../io/store/evidence-cache.ts";
import { ProvenTimes } from "../../io/store/proven-times.ts";
import { type SharedHistories, SignerStore } from "../../io/store/signer-store.ts";
import type { SharedStores } from "../cache/stores.ts";
import type { Session } from "./session.ts";

/** The signer history and cache of this node. */
export interface Stores extends SharedStores {
  readonly cache: SharedStores["cache"] & Pick<EvidenceCache, "findIdentity" | "keepIdentity">;
  /** Whether what other processes cache can be read here, and what is cached here by them: only then is one waited for. */
  readonly isCacheShared: () => boolean;
  /** As in AskContext. */
  readonly isBatch?: boolean;
}

/**
 * Reports problems with stateDir and cacheDir. Where this user may not use a folder, one warning says so instead of one
 * for each file, lock and image.
 */
export class StoreWarnings {
  readonly history: Warn;
  readonly cache: Warn;
  readonly other: Warn;

  /** @param warn may receive the same warning more than once */
  constructor({ stateDir, cacheDir }: Pick<Config, "stateDir" | "cacheDir">, warn: Warn) {
    const folders = { [`the signer history (${stateDir})`]: stateDir, [`the cache (${cacheDir})`]: cacheDir };
    // Looked at only where there is something to report: most questions have nothing.
    const about =
      (folder: string): Warn =>
      (warning) => {
        if (mayUse(folder)) return warn(warning);
        const denied = Object.entries(folders).flatMap(([name, path]) => (mayUse(path) ? [] : [name]));
        const message = `this user may not read and write ${denied.join(" and ")} of this node, so nothing there is used; run this as root`;
        warn({ code: "access.denied", message });
      };
    this.other = warn;
    this.history = about(stateDir);
    this.cache = about(cacheDir);
  }
}

/** What verifications without this node's cache use as well. */
type History = Omit<Stores, "cache" | "isCacheShared">;

/** Opens the stores in stateDir and cacheDir for one verification; reads nothing yet. */
export function openStores(
  config: StoreConfig & Pick<Config, "cacheDir">,
  session: Pick<Session, "now">,
  warnings: StoreWarnings,
  key: CacheKey,
  outside?: OutsideStore,
): Stores {
  const { stateDir, cacheDir } = config;
  key.keepOutOf(stateDir, cacheDir);
  return {
    ...openHistory(config, session, warnings, outside),
    cache: new EvidenceCache(cacheDir, PROGRAM, key, warnings.cache),
    isCacheShared: () => mayUse(cacheDir) && key.isThere(),
  };
}

export type StoreConfig = Pick<Config, "stateDir" | "bundleDir" | "bundleKeys">;

/**
 * Opens the signer history and what was imported, without the cache.
 *
 * @param shared as in SignerStore
 */
export function openHistory(
  { stateDir, bundleDir, bundleKeys }: StoreConfig,
  session: Pick<Session, "now">,
  warnings: StoreWarnings,
  outside?: OutsideStore,
  shared?: SharedHistories,
): History {
  const signers = new SignerStore(stateDir, warnings.history, shared);
  return {
    loadHistory: async (signer) => signers.loadHistory(signer, session.now()),
    recordObservation: async (observation) => signers.recordObservation(observation, session.now()),
    outside: async () => {
      if (outside !== undefined) return outside;
      const [{ BundleDir }, { usableBundleKeys }] = await Promise.all([
        import("../../io/store/bundle-dir.ts"),
        import("../../io/store/seal-key-files.ts"),
      ]);
      return new BundleDir(bundleDir, () => usableBundleKeys(bundleKeys, warnings.other), warnings.other);
    },
    provenTime: () => new ProvenTimes(stateDir, warnings.history).newest(),
    recordTime: async (time) => {
      try {
        await new ProvenTimes(stateDir, warnings.history).record(time);
      } catch (error) {
        const message = `the time of attached evidence cannot be remembered: ${(error as Error).message}`;
        warnings.history({ code: "history.not_written", message });
      }
    },
  };
}
