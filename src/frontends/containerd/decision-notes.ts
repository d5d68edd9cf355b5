import { type Config, DEFAULT_CONFIG } from "../../core/config/config.ts";
import { printable } from "../../core/encoding/printable.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { Answer } from "../../core/verify/answer.ts";
import { VERSION } from "../../core/version.ts";
import type { Warn, WarningCode } from "../../core/warning.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { appendLine } from "../../io/log/decision-log.ts";
import { type DecisionRecord, recordLine } from "../../io/log/decision-record.ts";
import type { Environment } from "../../io/process/environment.ts";
import { isProblem } from "../process/exit-status.ts";
import type { ProcessEdge } from "../process/process-lifecycle.ts";
import { reasonLine } from "../process/report.ts";

/** Characters of a name or digest that are logged: enough for any that is canonical. */
const MAX_NAME = 1024;
/** Signers that are logged: a rule may ask for more, a line that nobody can read helps nobody. */
const MAX_SIGNERS = 16;
/** Milliseconds that journald may take. */
const PATIENCE = 150;

/** What is noted of a decision on its way, so that it can be told afterwards however it ends. */
export class DecisionNotes {
  /** As containerd gave them, attacker-controlled. */
  image: string | undefined;
  digest: string | undefined;
  /** Once it has been read. */
  config: Config | undefined;
  policyHash: string | undefined;
  /** Until when break-glass is active, for any images; milliseconds since 1970, 0: it is not. */
  glassUntil = 0;
}

/**
 * Tells of a decision where the configuration wants it told. What cannot be told changes nothing about it.
 *
 * @returns undefined where that is done
 */
export function tell(answer: Answer, notes: DecisionNotes, edge: ProcessEdge): Promise<void> | undefined {
  const record = recordOf(answer, notes, edge);
  const { warn } = edge.warnings;
  // What cannot be read as a question is answered before the configuration is looked at.
  const told = { answer, record, warn, glassUntil: notes.glassUntil };
  if (notes.config !== undefined) return tellAsConfigured(told, notes.config);
  return configOrDefault(edge.environment).then((config) => tellAsConfigured(told, config));
}

interface Told {
  readonly answer: Answer;
  readonly record: DecisionRecord;
  readonly warn: Warn;
  readonly glassUntil: number;
}

async function configOrDefault(environment: Environment): Promise<Config> {
  const { loadConfig } = await import("../../io/settings/load-settings.ts");
  try {
    return loadConfig(environment, undefined);
  } catch {
    return DEFAULT_CONFIG; // that it cannot be read is, or will be, told by the answer
  }
}

function tellAsConfigured(told: Told, { decisionLog, metricsFile, stateDir }: Config): Promise<void> | undefined {
  const { answer, record, warn, glassUntil } = told;
  if (decisionLog.kind === "file") {
    try {
      appendLine(decisionLog.path, recordLine(record));
    } catch (error) {
      const isMissing = hasCode(error, "ENOENT") && !decisionLog.isNeeded;
      const message = `the decision is not logged: ${(error as Error).message}`;
      if (!isMissing) warn({ code: "log.not_written", message });
    }
  }
  const work: Promise<void>[] = [];
  const tryTo = (telling: Promise<void>, code: WarningCode): void => {
    const failed = (error: unknown): void => warn({ code, message: `the decision is not told: ${String(error)}` });
    work.push(telling.catch(failed));
  };
  if (decisionLog.kind === "journald") tryTo(sendToJournal(decisionLog.socket, record, answer), "log.not_written");
  if (metricsFile !== undefined)
    tryTo(count(record, glassUntil, { stateDir, metricsFile, version: VERSION }, warn), "metrics.not_written");
  return work.length === 0 ? undefined : Promise.all(work).then(() => {});
}

async function sendToJournal(socket: string, record: DecisionRecord, answer: Answer): Promise<void> {
  const journald = await import("../../io/log/journald.ts");
  const isWatched = answer.outcome === "allow" && answer.because.kind !== "signed" && answer.because.kind !== "exempt";
  const priority = isProblem(answer) ? 3 : answer.outcome !== "allow" ? 4 : isWatched ? 5 : 6;
  await journald.sendToJournal(socket, recordLine(record), priority, PATIENCE);
}

async function count(
  record: DecisionRecord,
  until: number,
  where: { stateDir: string; metricsFile: string; version: string },
  warn: Warn,
): Promise<void> {
  const [{ countDecision }, { tallyOf }] = await Promise.all([
    import("../../io/log/metrics-file.ts"),
    import("../../io/log/metrics.ts"),
  ]);
  await countDecision(tallyOf(record, until), where, warn);
}

function recordOf(answer: Answer, notes: DecisionNotes, edge: ProcessEdge): DecisionRecord {
  const { decision, enforcement, running, exchanges, warnings } = edge;
  const rule = decision?.rule ?? enforcement.rule;
  const now = Date.now();
  const because = answer.outcome === "allow" ? answer.because : undefined;
  const signed = because?.kind === "signed" ? because : undefined;
  const would = because !== undefined && "would" in because ? because.would : undefined;
  const asked = [...exchanges.asked];
  return {
    time: new Date(now).toISOString(),
    ...(notes.image !== undefined && { image: printable(notes.image.slice(0, MAX_NAME)) }),
    ...(notes.digest !== undefined && { digest: printable(notes.digest.slice(0, MAX_NAME)) }),
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
    cache: decision?.cache ?? "none",
    ...(signed && { evidenceAt: formatDateTime(signed.verifiedAt ?? now) }),
    ms: { total: Math.round(running), ...Object.fromEntries(asked.map(([name, { ms }]) => [name, Math.round(ms)])) },
    ...(warnings.codes.length > 0 && { warnings: warnings.codes }),
    requests: Object.fromEntries(asked.map(([name, { requests }]) => [name, requests])),
    ...(notes.policyHash !== undefined && { policy: notes.policyHash }),
    version: VERSION,
    pid: process.pid,
  };
}
