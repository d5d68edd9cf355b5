import type { Did } from "../atproto/syntax.ts";
import type { Config } from "../config/config.ts";
import { questionOf } from "../decide/from-refusal.ts";
import type { Lasting } from "../decide/lasting.ts";
import { EvidenceCache } from "../state/evidence-cache.ts";
import { Refusals } from "../state/refusals.ts";
import { SignerStore } from "../state/signer-store.ts";
import { Turns } from "../state/turns.ts";
import type { SignerMemory } from "../verify/memory.ts";
import { PROGRAM } from "../version.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { printable } from "./report.ts";

/** What this node remembers between pulls, and the turns that its processes take. */
export interface NodeMemory extends Lasting {
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  readonly cache: EvidenceCache;
  readonly refusals: Refusals;
  readonly turns: Turns;
  readonly now: () => number;
}

/** Opens what lies in the configuration's stateDir and cacheDir; nothing is read yet. */
export function openMemory(config: Config, edge: ProcessEdge): NodeMemory {
  const report = (warning: string): void => edge.diagnose(printable(`warning: ${warning}`));
  const { stateDir, cacheDir } = config;
  const signers = new SignerStore(stateDir, { report });
  const refusals = new Refusals(cacheDir, report);
  const turns = new Turns(cacheDir, report);
  edge.atEnd(() => turns.endAll());
  return {
    recall: async (signer) => signers.recall(signer, Date.now()),
    remember: async (sighting) => signers.remember(sighting, Date.now()),
    rememberRefusal: async (subject, rule, evidence) =>
      refusals.keep(questionOf(subject, rule, config, Date.now()), { digest: subject.digest, evidence }),
    cache: new EvidenceCache(cacheDir, PROGRAM, report),
    refusals,
    turns,
    now: () => Date.now(),
  };
}
