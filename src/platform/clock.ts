import { existsSync, statSync } from "node:fs";
import { isDenied } from "../io/fs/denied.ts";
import type { Environment } from "../io/process/environment.ts";
import { findProgram, runProgram } from "./program.ts";

/** Milliseconds. */
const TIMEOUT = 3_000;
/** File that systemd-timesyncd creates once it has set the clock. */
const SET = "/run/systemd/timesync/synchronized";
/** Files of running time services: chrony, ntpd and its successor ntpsec. */
const RUNNING = ["/run/chrony/chronyd.pid", "/run/chronyd.pid", "/run/chrony/chronyd.sock", "/run/ntpd.pid"];

/**
 * Whether a time service sets this node's clock: as systemd reads it from the kernel, else by the files of time
 * services. `unseen`: this user has no access to them.
 */
export type ClockService = "synchronised" | "not synchronised" | "running" | "none" | "unseen";

export async function clockService(environment: Environment): Promise<ClockService> {
  const timedatectl = findProgram(environment, "timedatectl");
  const said =
    timedatectl &&
    (await runProgram(environment, timedatectl, ["show", "--property=NTPSynchronized", "--value"], TIMEOUT));
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
