import { accessSync, closeSync, constants, existsSync, lstatSync, readdirSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDenied } from "../io/fs/denied.ts";
import { hasCode } from "../io/fs/error-code.ts";
import { check, checkWay } from "../io/fs/trusted-path.ts";
import { openMetricsFolder } from "../io/log/metrics-file.ts";
import type { Environment } from "../io/process/environment.ts";
import { cacheKeyPath, isBelow, readKey } from "../io/store/cache-key.ts";
import type { ClockService } from "../platform/clock.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";

/** Before this the program did not exist: a clock that says so has not been set. */
const NOT_BEFORE = Date.UTC(2026, 0, 1);
const DAY = 24 * 60 * 60 * 1000;
/** What must be free for what the program writes, in bytes. */
const FREE = 64 * 1024 * 1024;
/**
 * @param now milliseconds since 1970
 * @param builtAt the same, of this program's file; a day is left for whoever built it elsewhere
 */
export function checkClock(now: number, builtAt: number, service: ClockService): CheckResult {
  const name = "clock";
  const says = `the clock says ${new Date(now).toISOString()}`;
  if (now < NOT_BEFORE) return problem(name, says, "set it: what is valid when is told by it");
  if (now < builtAt - DAY) {
    return warning(name, `${says}, and this program is of ${new Date(builtAt).toISOString()}`, "see which is wrong");
  }
  const advice = "run a time service: validity, maxAge and revs are compared with it";
  switch (service) {
    case "synchronised":
      return ok(name, `${says}, and is synchronised`);
    case "running":
      return ok(name, `${says}, and a time service runs`);
    case "not synchronised":
      return warning(name, `${says}, and is not synchronised`, advice);
    case "unseen":
      return unseen(name, `${says}, and whether a time service sets it`, "what services leave under /run");
    case "none":
      return warning(name, `${says}, and no time service was found`, advice);
  }
}

/** A folder that the program writes to. */
export interface OwnFolder {
  readonly name: string;
  readonly path: string;
  /** What is lost without it, as a clause. */
  readonly without: string;
  /** Whether the program makes it where it is missing. */
  readonly isMade: boolean;
  /** Whether the folders above it must be root's alone, too. */
  readonly isWayTrusted: boolean;
  /** Of containerd, which may see the folder otherwise than we do: under ProtectSystem, say, read-only. */
  readonly pid?: number;
}

export function checkFolder({ name, path, without, isMade, isWayTrusted, pid }: OwnFolder): CheckResult {
  try {
    if (isWayTrusted) checkWay(path);
    else check(lstatSync(path), path);
    if (!lstatSync(path).isDirectory() && !(isWayTrusted && statSync(path).isDirectory()))
      return problem(name, `${path} is no folder: ${without}`, "move it away");
    if (isReadOnly(path) || (pid !== undefined && isReadOnly(join("/proc", String(pid), "root", path))))
      return problem(name, `${path} is read-only to containerd: ${without}`, "see ReadWritePaths in containerd's unit");
    if (isForbidden(path))
      return warning(name, `this user may not write to ${path}`, "run the doctor as root, as containerd runs");
    const { bavail, bsize } = statfsSync(path);
    const free = bavail * bsize;
    if (free < FREE) return warning(name, `${path} has ${Math.floor(free / 1024 / 1024)} MiB left`, "make room");
    return ok(name, `${path} can be used`);
  } catch (error) {
    if (isDenied(error)) return unseen(name, `whether ${path} can be used`, path);
    if (!hasCode(error, "ENOENT"))
      return problem(name, `${path} is not used: ${(error as Error).message}; ${without}`, "correct owner and mode");
    if (isMade && existsSync(dirname(path))) {
      if (!isForbidden(dirname(path))) return ok(name, `${path} is made when it is needed`);
      if (process.geteuid?.() !== 0) {
        const found = `${path} is not there, and whether it can be made is not known: this user may not write to ${dirname(path)}`;
        return warning(name, found, "run the doctor as root, as containerd runs");
      }
    }
    return warning(name, `${path} is not there: ${without}`, `run: install -d -m 0750 ${path}`);
  }
}

/**
 * Of the key by which root's pulls know what this node has cached.
 *
 * @param environment containerd's
 * @param folders stateDir and cacheDir, which it must not lie in
 */
export function checkCacheKey(environment: Environment, folders: readonly string[]): CheckResult {
  const name = "cache-key";
  const path = cacheKeyPath(environment, 0);
  const not = (why: string, advice: string): CheckResult => problem(name, `${why}: each pull asks the network`, advice);
  if (path === undefined) return not("ATCR_VERIFY_CACHE_KEY is no absolute path", "correct it in containerd's unit");
  const around = folders.find((folder) => isBelow(folder, path));
  if (around !== undefined)
    return not(`${path} lies in ${around}, and would be copied along with that`, "name another place");
  try {
    if (readKey(path) !== undefined) return ok(name, `${path} can be used`);
    const above = nearestTo(path);
    if (isReadOnly(above)) return not(`${path} cannot be made: ${above} is read-only`, "make that writable");
    return ok(name, `${path} is made when it is needed`);
  } catch (error) {
    if (isDenied(error)) return unseen(name, `whether ${path} can be used`, path);
    return not(
      `${path} is not used: ${(error as Error).message}`,
      "correct that, or remove it, and the next pull makes another",
    );
  }
}

/** The folder that is there, in which the others would be made. */
function nearestTo(path: string): string {
  let at = dirname(path);
  while (!existsSync(at)) at = dirname(at);
  return at;
}

/** Of the text for Prometheus. */
export function checkMetrics(path: string, pid: number | undefined): CheckResult {
  const not = (why: string): CheckResult =>
    warning("metrics", `${path} is not written: ${why}`, "correct it, or monitoring sees nothing of this node");
  try {
    closeSync(openMetricsFolder(path));
    const folder = dirname(path);
    if (isReadOnly(folder) || (pid !== undefined && isReadOnly(join("/proc", String(pid), "root", folder))))
      return not(`${folder} is read-only to containerd`);
    accessSync(folder, constants.W_OK);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return not("a folder is in its place");
    return ok("metrics", `${path} can be written`);
  } catch (error) {
    if (isDenied(error)) return unseen("metrics", `whether ${path} can be written`, dirname(path));
    return not((error as Error).message);
  }
}

/** By how it is mounted; who may write there is another question. */
function isReadOnly(path: string): boolean {
  return refusesWriting(path, "EROFS");
}

/** Whether the user who runs this may not write there. */
function isForbidden(path: string): boolean {
  return refusesWriting(path, "EACCES");
}

function refusesWriting(path: string, code: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return hasCode(error, code);
  }
}

/** Whether /proc is there, without which this program's runtime ends at once. */
export function checkProc(): CheckResult {
  try {
    readdirSync("/proc/self/fd");
    return ok("proc", "/proc is mounted");
  } catch {
    return problem(
      "proc",
      "/proc is not mounted",
      "mount it: without it this program does not start, and every pull is refused",
    );
  }
}
