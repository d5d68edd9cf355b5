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

/** Opens what lies in the configuration's stateDir and cacheDir for one question; nothing is read yet. */
export function openStores({ stateDir, cacheDir }: Config, { warn, now }: Pick<Session, "warn" | "now">): Stores {
  const [isHistoryOurs, isCacheOurs] = [mayUse(stateDir), mayUse(cacheDir)];
  const denied = [
    ...(isHistoryOurs ? [] : [`the signer history (${stateDir})`]),
    ...(isCacheOurs ? [] : [`the cache (${cacheDir})`]),
  ].join(" and ");
  // One sentence for what would be a warning for each file.
  const warnOnce = once(() => warn(`not used, as this user may not read and write it: ${denied} of this node`));
  const signers = new SignerStore(stateDir, { report: isHistoryOurs ? warn : warnOnce });
  return {
    recall: async (signer) => signers.recall(signer, now()),
    remember: async (sighting) => signers.remember(sighting, now()),
    cache: new EvidenceCache(cacheDir, PROGRAM, isCacheOurs ? warn : warnOnce),
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
