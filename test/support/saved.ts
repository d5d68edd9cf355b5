import { DEFAULT_CONFIG } from "../../src/core/config/config.ts";
import type { Bundle } from "../../src/core/evidence/bundle.ts";
import type { Subject } from "../../src/core/evidence/evidence.ts";
import type { TrustPolicy } from "../../src/core/policy/policy.ts";
import type { Answer } from "../../src/core/verify/answer.ts";
import { Deadline } from "../../src/io/process/deadline.ts";
import { RequestCounts } from "../../src/verifier/service/exchanges.ts";
import type { Session } from "../../src/verifier/service/session.ts";
import { Verifier } from "../../src/verifier/service/verifier.ts";
import { HANGS } from "./deciding.ts";
import { NOW } from "./evidence.ts";

/** A request, and the saved evidence for it. */
export interface SavedCase extends Subject {
  readonly policy: TrustPolicy;
  readonly bundle: Bundle;
  readonly atcrHosts: readonly string[];
  readonly now: number;
}

/** A session with plenty of time, at NOW. */
export function session(changes: Partial<Session> = {}): Session {
  return {
    deadline: new Deadline(performance.now() + HANGS),
    requestCounts: new RequestCounts(),
    now: () => NOW,
    warn: () => {},
    ruleSelected: () => {},
    beforeHeavyWork: () => {},
    ...changes,
  };
}

/** A verifier's answer from saved evidence. */
export async function judgeSavedCase(
  { policy, bundle, atcrHosts, now, ...subject }: SavedCase,
  deadline = session().deadline,
): Promise<Answer> {
  const config = { ...DEFAULT_CONFIG, atcrHosts };
  const verifier = new Verifier({ config, policy, saved: { kind: "gathered", bundle }, environment: {} });
  const { answer, error } = await verifier.verify(subject, session({ now: () => now, deadline }));
  if (error !== undefined) throw error;
  return answer;
}
