import type { Config } from "../config/config.ts";
import { type DecideContext, type Decision, decide } from "../decide/decide.ts";
import type { EvidenceKeeper } from "../decide/kept.ts";
import { createHttpClient } from "../net/http.ts";
import { createTxtLookup } from "../net/txt.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { SignerStore } from "../state/signer-store.ts";
import type { Subject } from "../verify/evidence.ts";
import { VERSION } from "../version.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { printable } from "./report.ts";

/** Asks the network, with this process's clock and deadline and this node's memory. */
export async function judgeOnline(
  subject: Subject,
  policy: TrustPolicy,
  config: Config,
  edge: ProcessEdge,
): Promise<Decision> {
  return decide(subject, policy, onlineContext(config, edge), (rule) => {
    edge.rule = rule;
  });
}

/** What whoever asks the network works with. */
export function onlineContext(config: Config, edge: ProcessEdge): DecideContext {
  const report = (warning: string): void => edge.diagnose(printable(`warning: ${warning}`));
  const store = new SignerStore(config.stateDir, { report });
  return {
    http: createHttpClient({ version: VERSION, allow: config.network }),
    txt: createTxtLookup(),
    deadline: edge.deadline,
    config,
    now: () => Date.now(),
    recall: async (signer) => store.recall(signer, Date.now()),
    remember: async (sighting) => store.remember(sighting, Date.now()),
    keeper: keeperOf(config, report),
  };
}

/** Made when it is used: most rules take no evidence of before. */
function keeperOf({ cacheDir }: Config, report: (warning: string) => void): EvidenceKeeper {
  const store = async () => {
    const { EvidenceStore } = await import("../state/evidence-store.ts");
    return new EvidenceStore(cacheDir, { report });
  };
  return {
    keep: async (...kept) => (await store()).keep(...kept),
    find: async (...sought) => (await store()).find(...sought),
    forget: async (...refuted) => (await store()).forget(...refuted),
    supersede: async (...newer) => (await store()).supersede(...newer),
  };
}
