import { printable } from "../../core/encoding/printable.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { Decider } from "../../core/policy/policy.ts";
import type { Answer } from "../../core/verify/answer.ts";
import { VERSION } from "../../core/version.ts";
import type { Warnings } from "../../core/warning.ts";
import type { DecisionRecord } from "../../io/log/decision-record.ts";
import type { Decision } from "../../verifier/service/decision.ts";
import type { RequestCounts } from "../../verifier/service/exchanges.ts";
import { reasonLine } from "./report.ts";

/** Maximum characters of a name or digest in the log: enough for any canonical one. */
const MAX_NAME = 1024;
/** Maximum signers in the log: a rule may require more, but the line must stay readable. */
const MAX_SIGNERS = 16;

/** What is known of a question besides its answer. */
export interface Recorded {
  /** As the caller gave them; attacker-controlled; absent where they could not be read. */
  readonly image: string | undefined;
  readonly digest: string | undefined;
  /** Absent where nothing of the policy decided. */
  readonly rule: Decider | undefined;
  readonly cache: Decision["cache"] | undefined;
  /** Milliseconds that the question took. */
  readonly running: number;
  readonly requestCounts: RequestCounts;
  readonly warnings: Warnings;
  readonly policyHash: string | undefined;
}

/** The line of the decision log for an answer that is given now. */
export function decisionRecord(answer: Answer, known: Recorded): DecisionRecord {
  const { image, digest, rule, policyHash, warnings } = known;
  const now = Date.now();
  const because = answer.outcome === "allow" ? answer.because : undefined;
  const signed = because?.kind === "signed" ? because : undefined;
  const would = because !== undefined && "would" in because ? because.would : undefined;
  const asked = [...known.requestCounts.asked];
  return {
    time: new Date(now).toISOString(),
    ...(image !== undefined && { image: printable(image.slice(0, MAX_NAME)) }),
    ...(digest !== undefined && { digest: printable(digest.slice(0, MAX_NAME)) }),
    outcome: answer.outcome,
    code: answer.outcome === "allow" ? answer.because.kind : answer.code,
    ...(rule && { rule: rule.name, ruleAt: `${rule.file}:${rule.line}` }),
    reason: reasonLine(answer).trimEnd(),
    signers: (signed?.signatures ?? [])
      .slice(0, MAX_SIGNERS)
      .map(({ signer, key, rev }) => ({ did: signer, key, rev })),
    ...(would && { would: { outcome: would.outcome, code: would.code } }),
    ...(because?.kind === "break_glass" && {
      breakGlass: { reason: because.reason, until: formatDateTime(because.until) },
    }),
    cache: known.cache ?? "none",
    ...(signed && { evidenceAt: formatDateTime(signed.verifiedAt ?? now) }),
    ms: {
      total: Math.round(known.running),
      ...Object.fromEntries(asked.map(([name, { ms }]) => [name, Math.round(ms)])),
    },
    ...(warnings.codes.length > 0 && { warnings: warnings.codes }),
    requests: Object.fromEntries(asked.map(([name, { requests }]) => [name, requests])),
    ...(policyHash !== undefined && { policy: policyHash }),
    version: VERSION,
    pid: process.pid,
  };
}
