import type { Config } from "../config/config.ts";
import { type Decision, decide } from "../decide.ts";
import { createHttpGet } from "../net/http.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import type { Subject } from "../verify/evidence.ts";
import { VERSION } from "../version.ts";
import type { ProcessEdge } from "./process-edge.ts";

/** Asks the network, with this process's clock and deadline. */
export async function judgeOnline(
  subject: Subject,
  policy: TrustPolicy,
  config: Config,
  edge: ProcessEdge,
): Promise<Decision> {
  const http = createHttpGet({ version: VERSION, allow: config.network });
  const context = { http, deadline: edge.deadline, config, now: () => Date.now() };
  return decide(subject, policy, context, (rule) => {
    edge.rule = rule;
  });
}
