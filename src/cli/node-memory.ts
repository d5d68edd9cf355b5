import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Did } from "../atproto/syntax.ts";
import type { Config } from "../config/config.ts";
import type { Lasting } from "../decide/lasting.ts";
import { EvidenceCache } from "../state/evidence-cache.ts";
import { SignerStore } from "../state/signer-store.ts";
import type { Turns } from "../state/turns.ts";
import type { SignerMemory } from "../verify/memory.ts";
import { PROGRAM } from "../version.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { printable } from "./report.ts";

/** What this node remembers between pulls, and the turns that its processes take. */
export interface NodeMemory extends Lasting {
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  readonly cache: EvidenceCache;
  /** Made when it is used: a pull that is answered by what is remembered takes none. */
  readonly turns: () => Promise<Turns>;
  readonly now: () => number;
}

/** Opens what lies in the configuration's stateDir and cacheDir; nothing is read yet. */
export function openMemory(config: Config, edge: ProcessEdge): NodeMemory {
  const { stateDir, cacheDir } = config;
  const say = (warning: string): void => edge.diagnose(printable(`warning: ${warning}`));
  const report = mayUse(stateDir) && mayUse(cacheDir) ? say : once(() => say(notOurs(stateDir, cacheDir)));
  const signers = new SignerStore(stateDir, { report });
  let turns: Turns | undefined;
  edge.atEnd(() => turns?.endAll());
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

/** Whether this user may work in the folder, or make it. */
function mayUse(folder: string): boolean {
  if (process.getuid?.() === 0) return true;
  try {
    accessSync(existsSync(folder) ? folder : dirname(folder), constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** One sentence for what would be a warning for each file. */
function notOurs(stateDir: string, cacheDir: string): string {
  return `the signer history (${stateDir}) and the cache (${cacheDir}) of this node are not used, as only root may`;
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
