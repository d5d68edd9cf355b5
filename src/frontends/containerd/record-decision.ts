import { type Config, DEFAULT_CONFIG } from "../../core/config/config.ts";
import type { Answer } from "../../core/verify/answer.ts";
import { VERSION } from "../../core/version.ts";
import type { Warn, WarningCode } from "../../core/warning.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { appendLine } from "../../io/log/decision-log.ts";
import { type DecisionRecord, recordLine } from "../../io/log/decision-record.ts";
import type { Environment } from "../../io/process/environment.ts";
import { decisionRecord } from "../process/decision-record-of.ts";
import { isProblem } from "../process/exit-status.ts";
import type { ProcessLifecycle } from "../process/process-lifecycle.ts";

/** Milliseconds to wait for journald. */
const TIMEOUT = 150;

/** Facts collected while deciding, so that the decision can be logged however the process ends. */
export class DecisionContext {
  /** As containerd passed them; attacker-controlled. */
  image: string | undefined;
  digest: string | undefined;
  /** Set once it has been read. */
  config: Config | undefined;
  policyHash: string | undefined;
  /** End of the active break-glass, whatever its images; milliseconds since 1970, 0 if it is not active. */
  breakGlassUntil = 0;
}

/**
 * Writes a decision to the configured log and metrics. A failure to write never changes the decision.
 *
 * @returns undefined if all is written already
 */
export function recordDecision(
  answer: Answer,
  notes: DecisionContext,
  lifecycle: ProcessLifecycle,
): Promise<void> | undefined {
  const record = recordOf(answer, notes, lifecycle);
  const { warn } = lifecycle.warnings;
  // A request that cannot be read is answered before the configuration is.
  const recorded = { answer, record, warn, breakGlassUntil: notes.breakGlassUntil };
  if (notes.config !== undefined) return recordAsConfigured(recorded, notes.config);
  return configOrDefault(lifecycle.environment).then((config) => recordAsConfigured(recorded, config));
}

interface Recorded {
  readonly answer: Answer;
  readonly record: DecisionRecord;
  readonly warn: Warn;
  readonly breakGlassUntil: number;
}

async function configOrDefault(environment: Environment): Promise<Config> {
  const { loadConfig } = await import("../../io/settings/load-settings.ts");
  try {
    return loadConfig(environment, undefined);
  } catch {
    return DEFAULT_CONFIG; // the answer reports that it cannot be read
  }
}

function recordAsConfigured(
  recorded: Recorded,
  { decisionLog, metricsFile, stateDir, bundleDir }: Config,
): Promise<void> | undefined {
  const { answer, record, warn, breakGlassUntil } = recorded;
  if (decisionLog.kind === "file") {
    try {
      appendLine(decisionLog.path, recordLine(record));
    } catch (error) {
      const isMissing = hasCode(error, "ENOENT") && !decisionLog.isNeeded;
      const message = `the decision could not be logged: ${(error as Error).message}`;
      if (!isMissing) warn({ code: "log.not_written", message });
    }
  }
  const work: Promise<void>[] = [];
  const tryTo = (telling: Promise<void>, code: WarningCode): void => {
    const done = code === "metrics.not_written" ? "counted" : "logged";
    const failed = (error: unknown): void =>
      warn({ code, message: `the decision could not be ${done}: ${String(error)}` });
    work.push(telling.catch(failed));
  };
  if (decisionLog.kind === "journald") tryTo(sendToJournal(decisionLog.socket, record, answer), "log.not_written");
  if (metricsFile !== undefined)
    tryTo(
      count(record, breakGlassUntil, { stateDir, metricsFile, bundleDir, version: VERSION }, warn),
      "metrics.not_written",
    );
  return work.length === 0 ? undefined : Promise.all(work).then(() => {});
}

async function sendToJournal(socket: string, record: DecisionRecord, answer: Answer): Promise<void> {
  const journald = await import("../../io/log/journald.ts");
  const isWatched = answer.outcome === "allow" && answer.because.kind !== "signed" && answer.because.kind !== "exempt";
  const priority = isProblem(answer) ? 3 : answer.outcome !== "allow" ? 4 : isWatched ? 5 : 6;
  await journald.sendToJournal(socket, recordLine(record), priority, TIMEOUT);
}

async function count(
  record: DecisionRecord,
  until: number,
  where: { stateDir: string; metricsFile: string; bundleDir: string; version: string },
  warn: Warn,
): Promise<void> {
  const [{ countDecision }, { tallyOf }, { readEnds }] = await Promise.all([
    import("../../io/log/metrics-file.ts"),
    import("../../io/log/metrics.ts"),
    import("../../io/store/bundle-ends.ts"),
  ]);
  await countDecision(tallyOf(record, until, readEnds(where.bundleDir)), where, warn);
}

function recordOf(answer: Answer, notes: DecisionContext, lifecycle: ProcessLifecycle): DecisionRecord {
  const { decision, enforcement, running, requestCounts, warnings } = lifecycle;
  return decisionRecord(answer, {
    image: notes.image,
    digest: notes.digest,
    rule: decision?.rule ?? enforcement.rule,
    cache: decision?.cache,
    running,
    requestCounts,
    warnings,
    policyHash: notes.policyHash,
  });
}
