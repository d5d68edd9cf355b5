import { existsSync, statSync } from "node:fs";
import { isDenied } from "../io/fs/denied.ts";
import type { Environment } from "../io/process/environment.ts";
import { findProgram, runProgram } from "./program.ts";

/** Milliseconds. */
const PATIENCE = 3_000;
/** What systemd-timesyncd makes once it has set the clock. */
const SET = "/run/systemd/timesync/synchronized";
/** Of services that set the clock and run: chrony, ntpd and its successor. */
const RUNNING = ["/run/chrony/chronyd.pid", "/run/chronyd.pid", "/run/chrony/chronyd.sock", "/run/ntpd.pid"];

/** `unseen`: this user may not look where services leave it. Whether somebody sets this node's clock: by the kernel, as systemd reads it, else by what time services leave. */
export type ClockService = "synchronised" | "not synchronised" | "running" | "none" | "unseen";

export async function clockService(environment: Environment): Promise<ClockService> {
  const timedatectl = findProgram(environment, "timedatectl");
  const said =
    timedatectl &&
    (await runProgram(environment, timedatectl, ["show", "--property=NTPSynchronized", "--value"], PATIENCE));
  const answer = said ? said.stdout.trim() : "";
  if (answer === "yes" || existsSync(SET)) return "synchronised";
  if (answer === "no") return "not synchronised";
  const seen = RUNNING.map(isThere);
  return seen.includes("there") ? "running" : seen.includes("denied") ? "unseen" : "none";
}

function isThere(path: string): "there" | "absent" | "denied" {
  try {
    statSync(path);
    return "there";
  } catch (error) {
    return isDenied(error) ? "denied" : "absent";
  }
}
