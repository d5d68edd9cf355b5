import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type Config, JOURNAL_SOCKET } from "../core/config/config.ts";
import { hasCode } from "../io/fs/error-code.ts";
import { checkLog } from "../io/log/decision-log.ts";
import { whySilent } from "../io/log/journald.ts";
import { readLog } from "../io/log/read-log.ts";
import type { Environment } from "../io/process/environment.ts";
import { findProgram, runProgram } from "../platform/program.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import { checkFolder } from "./node-checks.ts";

type Log = Config["decisionLog"];

const NAME = "decision-log";
const WITHOUT = "what was decided cannot be seen afterwards";
/** Milliseconds for journald, and for journalctl. */
const PATIENCE = 3_000;

/**
 * Whether decisions can be told.
 *
 * @param pid of containerd, which may see folders otherwise than we do
 */
export async function checkDecisionLog(log: Log, pid: number | undefined): Promise<CheckResult> {
  switch (log.kind) {
    case "file":
      return checkFile(log.path, pid);
    case "journald": {
      const why = await whySilent(log.socket, PATIENCE);
      return why === undefined
        ? ok(NAME, "decisions go to journald: journalctl -t atcr-verify")
        : problem(NAME, `journald does not listen at ${log.socket}: ${why}; ${WITHOUT}`, "name a file, or its socket");
    }
    case "none":
      return warning(NAME, `decisionLog is none: ${WITHOUT}`, "name a file, or journald");
  }
}

function checkFile(path: string, pid: number | undefined): CheckResult {
  const folder = { name: NAME, path: dirname(path), without: WITHOUT, isMade: false, isWayTrusted: false };
  const finding = checkFolder({ ...folder, ...(pid !== undefined && { pid }) });
  if (finding.level !== "ok") return finding;
  try {
    checkLog(path);
  } catch (error) {
    const found = `${path} is not written: ${(error as Error).message}; ${WITHOUT}`;
    // It is root's, and root's group may read it.
    if (hasCode(error, "EACCES")) return warning(NAME, found, "run the doctor as root");
    if (!hasCode(error, "ENOENT")) return problem(NAME, found, "move it away, or correct owner and mode");
  }
  return finding;
}

/** How to find a decision again. */
export type LogReader =
  /** Whether it tells of a digest. @throws Error where it cannot be read */
  | { readonly isLogged: (digest: string) => boolean | Promise<boolean> }
  /** Why it cannot be looked for although decisions are told, as a clause. */
  | { readonly unread: string };

/** @returns undefined where none are to be told */
export function logReader(environment: Environment, log: Log): LogReader | undefined {
  switch (log.kind) {
    case "file": {
      // The default's folder is the administrator's to make: where it is not there nothing is to be logged.
      if (!log.isNeeded && !existsSync(dirname(log.path))) return undefined;
      return { isLogged: (digest) => readLog(log.path)?.decisions.some((one) => one["digest"] === digest) ?? false };
    }
    case "journald": {
      if (log.socket !== JOURNAL_SOCKET) return { unread: `${log.socket} is no journal that journalctl reads` };
      const journalctl = findProgram(environment, "journalctl");
      if (journalctl === undefined) return { unread: "journalctl was not found" };
      const args = ["-t", "atcr-verify", "-o", "cat", "--since", "-10min", "--no-pager"];
      const journal = async () => (await runProgram(environment, journalctl, args, PATIENCE)).stdout;
      return { isLogged: async (digest) => (await journal()).includes(digest) };
    }
    case "none":
      return undefined;
  }
}
