import type { Did } from "../atproto/syntax.ts";
import type { Config } from "../config/config.ts";
import type { Lasting } from "../decide/lasting.ts";
import { EvidenceCache } from "../state/evidence-cache.ts";
import { SignerStore } from "../state/signer-store.ts";
import type { Turns } from "../state/turns.ts";
import type { SignerMemory } from "../verify/memory.ts";
import { PROGRAM } from "../version.ts";
import { mayUse } from "./access.ts";
import type { HostProcess } from "./host-process.ts";

/** What this node remembers between pulls, and the turns that its processes take. */
export interface NodeMemory extends Lasting {
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  readonly cache: EvidenceCache;
  /** Made when it is used: a pull that is answered by what is remembered takes none. */
  readonly turns: () => Promise<Turns>;
  readonly now: () => number;
}

/** Opens what lies in the configuration's stateDir and cacheDir; nothing is read yet. */
export function openMemory(config: Config, host: HostProcess): NodeMemory {
  const { stateDir, cacheDir } = config;
  const say = (warning: string): void => host.warn(warning);
  const [isHistoryOurs, isCacheOurs] = [mayUse(stateDir), mayUse(cacheDir)];
  const denied = [
    ...(isHistoryOurs ? [] : [`the signer history (${stateDir})`]),
    ...(isCacheOurs ? [] : [`the cache (${cacheDir})`]),
  ].join(" and ");
  // One sentence for what would be a warning for each file.
  const sayOnce = once(() => say(`not used, as this user may not read and write it: ${denied} of this node`));
  const report = isCacheOurs ? say : sayOnce;
  const signers = new SignerStore(stateDir, { report: isHistoryOurs ? say : sayOnce });
  let turns: Turns | undefined;
  host.atEnd(() => turns?.endAll());
  return {
    recall: async (signer) => signers.recall(signer, Date.now()),
    remember: async (sighting) => signers.remember(sighting, Date.now()),
    cache: new EvidenceCache(cacheDir, PROGRAM, report),
    turns: async () => {
      const { Turns } = await import("../state/turns.ts");
      turns ??= new Turns(cacheDir, report);
      return turns;
    },
    now: () => Date.now(),
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
