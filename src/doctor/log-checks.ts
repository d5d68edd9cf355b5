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
const WITHOUT = "decisions are not logged";
/** Milliseconds for journald, and for journalctl. */
const TIMEOUT = 3_000;

/**
 * Whether decisions can be logged.
 *
 * @param pid of containerd, whose mount namespace may differ from ours
 */
export async function checkDecisionLog(log: Log, pid: number | undefined): Promise<CheckResult> {
  switch (log.kind) {
    case "file":
      return checkFile(log.path, pid);
    case "journald": {
      const why = await whySilent(log.socket, TIMEOUT);
      return why === undefined
        ? ok(NAME, "decisions are logged to journald; read them with: journalctl -t atcr-verify")
        : problem(
            NAME,
            `journald does not listen at ${log.socket}: ${why}; ${WITHOUT}`,
            "set decisionLog to a file, or to journald's socket",
          );
    }
    case "none":
      return warning(NAME, `decisionLog is none: ${WITHOUT}`, "set decisionLog to a file, or to journald");
  }
}

function checkFile(path: string, pid: number | undefined): CheckResult {
  const folder = { name: NAME, path: dirname(path), without: WITHOUT, isMade: false, isPathTrusted: false };
  const finding = checkFolder({ ...folder, ...(pid !== undefined && { pid }) });
  if (finding.level !== "ok") return finding;
  try {
    checkLog(path);
  } catch (error) {
    const found = `${path} cannot be written: ${(error as Error).message}; ${WITHOUT}`;
    // The log belongs to root; other users may not write it.
    if (hasCode(error, "EACCES")) return warning(NAME, found, "run this as root");
    if (!hasCode(error, "ENOENT")) return problem(NAME, found, "move it away, or correct its owner and mode");
  }
  return finding;
}

/** Looks up logged decisions. */
export type LogReader =
  /** Whether a decision about this digest is logged. @throws Error if the log cannot be read */
  | { readonly isLogged: (digest: string) => boolean | Promise<boolean> }
  /** Why the log cannot be searched although decisions are logged, as a clause. */
  | { readonly unread: string };

/** @returns undefined if decisions are not logged */
export function logReader(environment: Environment, log: Log): LogReader | undefined {
  switch (log.kind) {
    case "file": {
      // The administrator creates the default's folder; without it nothing is logged.
      if (!log.isNeeded && !existsSync(dirname(log.path))) return undefined;
      return { isLogged: (digest) => readLog(log.path)?.decisions.some((one) => one["digest"] === digest) ?? false };
    }
    case "journald": {
      if (log.socket !== JOURNAL_SOCKET) return { unread: `journalctl does not read what is logged to ${log.socket}` };
      const journalctl = findProgram(environment, "journalctl");
      if (journalctl === undefined) return { unread: "journalctl was not found" };
      const args = ["-t", "atcr-verify", "-o", "cat", "--since", "-10min", "--no-pager"];
      const journal = async () => (await runProgram(environment, journalctl, args, TIMEOUT)).stdout;
      return { isLogged: async (digest) => (await journal()).includes(digest) };
    }
    case "none":
      return undefined;
  }
}
