import type { Config } from "../../core/config/config.ts";
import { PROGRAM } from "../../core/version.ts";
import { mayUse } from "../../io/fs/access.ts";
import { EvidenceCache } from "../../io/store/evidence-cache.ts";
import { SignerStore } from "../../io/store/signer-store.ts";
import type { Lasting } from "../cache/stores.ts";
import type { Session } from "./session.ts";

/** What this node remembers between verifications. */
export interface Stores extends Lasting {
  readonly cache: EvidenceCache;
}

/** Warns once that this user may not use what the node remembers, in place of a warning for each file, lock and image. */
export class Denials {
  /** Instead of any warning about the signer history; absent where this user may use it. */
  readonly history?: () => void;
  /** Instead of any warning about the cache and its locks; absent where this user may use it. */
  readonly cache?: () => void;

  constructor({ stateDir, cacheDir }: Pick<Config, "stateDir" | "cacheDir">, warn: (warning: string) => void) {
    const [isHistoryOurs, isCacheOurs] = [mayUse(stateDir), mayUse(cacheDir)];
    const denied = [
      ...(isHistoryOurs ? [] : [`the signer history (${stateDir})`]),
      ...(isCacheOurs ? [] : [`the cache (${cacheDir})`]),
    ].join(" and ");
    const warnOnce = once(() => warn(`not used, as this user may not read and write it: ${denied} of this node`));
    if (!isHistoryOurs) this.history = warnOnce;
    if (!isCacheOurs) this.cache = warnOnce;
  }
}

/** Opens what lies in the configuration's stateDir and cacheDir for one question; nothing is read yet. */
export function openStores(
  { stateDir, cacheDir }: Pick<Config, "stateDir" | "cacheDir">,
  session: Pick<Session, "warn" | "now">,
  denials: Denials,
): Stores {
  const warn = (warning: string): void => session.warn(warning);
  const signers = new SignerStore(stateDir, { report: denials.history ?? warn });
  return {
    recall: async (signer) => signers.recall(signer, session.now()),
    remember: async (sighting) => signers.remember(sighting, session.now()),
    cache: new EvidenceCache(cacheDir, PROGRAM, denials.cache ?? warn),
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
