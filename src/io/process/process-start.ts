import { readFileSync } from "node:fs";

/** States of a process that has ended: zombie and dead (proc_pid_stat(5), field 3). */
const OVER: ReadonlySet<string> = new Set(["Z", "X"]);
/** State of a process stopped by a signal; one stopped by a debugger has another. */
const STOPPED = "T";
/** Clock ticks of `/proc` per second: the same on every Linux that this program is built for. */
const TICKS = 100;
/** Milliseconds; no process takes this long to start, so an older one was, for example, a shell that exec'd this program. */
const TOO_OLD = 60_000;

/**
 * When a process started, in clock ticks since boot (proc_pid_stat(5), field 22); unique together with its pid.
 *
 * @returns digits; undefined where there is no such process, or only a zombie
 */
export function startOf(pid: number): string | undefined {
  const [state = "", ...rest] = statOf(pid);
  return OVER.has(state) ? undefined : rest[18];
}

/** Whether a process is stopped, for example by Ctrl-Z: it may continue after days, or never. */
export function isStopped(pid: number): boolean {
  return statOf(pid)[0] === STOPPED;
}

/** The fields after the name, which is in parentheses and may contain anything; empty where there is no such process. */
function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/**
 * How long this process has been running, by the kernel's clock: on an overloaded machine, seconds may pass before the
 * program's own clock starts, and containerd counts them.
 *
 * @returns milliseconds; by the program's own clock where the kernel's value is missing or implausible
 */
export function processAge(): number {
  return ageBy(startOf(process.pid), uptime(), performance.now());
}

/**
 * @param start of the process, in ticks since boot
 * @param up seconds since boot
 * @param own milliseconds by the program's own clock
 */
export function ageBy(start: string | undefined, up: number, own: number): number {
  const age = up * 1000 - (Number(start) * 1000) / TICKS;
  return age > own && age < TOO_OLD ? age : own;
}

function uptime(): number {
  try {
    return Number.parseFloat(readFileSync("/proc/uptime", "latin1"));
  } catch {
    return Number.NaN;
  }
}
