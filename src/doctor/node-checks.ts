import { accessSync, closeSync, constants, existsSync, lstatSync, readdirSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDenied } from "../io/fs/denied.ts";
import { hasCode } from "../io/fs/error-code.ts";
import { isInside } from "../io/fs/inside.ts";
import { assertPathTrusted, check } from "../io/fs/trusted-path.ts";
import { openMetricsFolder } from "../io/log/metrics-file.ts";
import type { Environment } from "../io/process/environment.ts";
import { cacheKeyPath, readKey } from "../io/store/cache-key.ts";
import type { ClockService } from "../platform/clock.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";

/** This program did not exist before this date, so an earlier clock has not been set. */
const NOT_BEFORE = Date.UTC(2026, 0, 1);
const DAY = 24 * 60 * 60 * 1000;
/** Free space that the program needs for what it writes, in bytes. */
const FREE = 64 * 1024 * 1024;
/**
 * @param now milliseconds since 1970
 * @param builtAt modification time of this program's file, likewise; a day of tolerance, as it may come from elsewhere
 */
export function checkClock(now: number, builtAt: number, service: ClockService): CheckResult {
  const name = "clock";
  const says = `the clock says ${new Date(now).toISOString()}`;
  if (now < NOT_BEFORE)
    return problem(
      name,
      `${says}, before this program existed`,
      "set the clock: validity, maxAge and revs are compared with it",
    );
  if (now < builtAt - DAY) {
    return warning(
      name,
      `${says}, before the date of this program, ${new Date(builtAt).toISOString()}`,
      "check the clock",
    );
  }
  const advice = "run a time service: validity, maxAge and revs are compared with the clock";
  switch (service) {
    case "synchronised":
      return ok(name, `${says}, and is synchronised`);
    case "running":
      return ok(name, `${says}, and a time service is running`);
    case "not synchronised":
      return warning(name, `${says}, and is not synchronised`, advice);
    case "unseen":
      return unseen(name, `${says}, and whether a time service sets it`, "the files of time services under /run");
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
  /** Whether the program creates it if it is missing. */
  readonly isMade: boolean;
  /** Whether others may not write to the folders above it either. */
  readonly isPathTrusted: boolean;
  /** Of containerd, whose mount namespace may differ: with ProtectSystem, for example, the folder may be read-only. */
  readonly pid?: number;
}

export function checkFolder({ name, path, without, isMade, isPathTrusted, pid }: OwnFolder): CheckResult {
  try {
    if (isPathTrusted) assertPathTrusted(path);
    else check(lstatSync(path), path);
    if (!lstatSync(path).isDirectory() && !(isPathTrusted && statSync(path).isDirectory()))
      return problem(name, `${path} is not a folder: ${without}`, "move it away");
    if (isReadOnly(path) || (pid !== undefined && isReadOnly(join("/proc", String(pid), "root", path))))
      return problem(
        name,
        `${path} is read-only for containerd: ${without}`,
        "make it writable, for example by ReadWritePaths in containerd's systemd unit",
      );
    if (isForbidden(path))
      return warning(name, `this user may not write to ${path}`, "run this as root, as containerd runs");
    const { bavail, bsize } = statfsSync(path);
    const free = bavail * bsize;
    if (free < FREE)
      return warning(name, `${path} has only ${Math.floor(free / 1024 / 1024)} MiB of free space`, "free some space");
    return ok(name, `${path} can be used`);
  } catch (error) {
    if (isDenied(error)) return unseen(name, `whether ${path} can be used`, path);
    if (!hasCode(error, "ENOENT"))
      return problem(
        name,
        `${path} cannot be used: ${(error as Error).message}; ${without}`,
        "correct its owner and mode",
      );
    if (isMade && existsSync(dirname(path))) {
      if (!isForbidden(dirname(path))) return ok(name, `${path} does not exist yet and will be created when needed`);
      if (process.geteuid?.() !== 0) {
        const found = `${path} does not exist, and whether it can be created is not known: this user may not write to ${dirname(path)}`;
        return warning(name, found, "run this as root, as containerd runs");
      }
    }
    return warning(name, `${path} does not exist: ${without}`, `run: install -d -m 0750 ${path}`);
  }
}

/**
 * Whether the key that authenticates this node's cache can be used.
 *
 * @param environment containerd's
 * @param folders stateDir and cacheDir, which it must not lie in
 */
export function checkCacheKey(environment: Environment, folders: readonly string[]): CheckResult {
  const name = "cache-key";
  const path = cacheKeyPath(environment, 0);
  const not = (why: string, advice: string): CheckResult =>
    problem(name, `${why}: every pull uses the network`, advice);
  if (path === undefined)
    return not("ATCR_VERIFY_CACHE_KEY is not an absolute path", "correct it in containerd's systemd unit");
  const around = folders.find((folder) => isInside(folder, path));
  if (around !== undefined)
    return not(
      `${path} is inside ${around}, so a copy of that folder would include the key`,
      "name a file elsewhere with ATCR_VERIFY_CACHE_KEY",
    );
  try {
    if (readKey(path) !== undefined) return ok(name, `${path} can be used`);
    const above = nearestTo(path);
    if (isReadOnly(above)) return not(`${path} cannot be created: ${above} is read-only`, `make ${above} writable`);
    return ok(name, `${path} does not exist yet and will be created when needed`);
  } catch (error) {
    if (isDenied(error)) return unseen(name, `whether ${path} can be used`, path);
    return not(
      `${path} cannot be used: ${(error as Error).message}`,
      "correct it, or remove it: the next pull creates a new one",
    );
  }
}

/** The nearest folder above it that exists. */
function nearestTo(path: string): string {
  let at = dirname(path);
  while (!existsSync(at)) at = dirname(at);
  return at;
}

/** Whether the metrics file for Prometheus can be written. */
export function checkMetrics(path: string, pid: number | undefined): CheckResult {
  const not = (why: string): CheckResult =>
    warning(
      "metrics",
      `${path} cannot be written: ${why}`,
      "correct this: until then there are no metrics of this node",
    );
  try {
    closeSync(openMetricsFolder(path));
    const folder = dirname(path);
    if (isReadOnly(folder) || (pid !== undefined && isReadOnly(join("/proc", String(pid), "root", folder))))
      return not(`${folder} is read-only for containerd`);
    accessSync(folder, constants.W_OK);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return not("it is a folder");
    return ok("metrics", `${path} can be written`);
  } catch (error) {
    if (isDenied(error)) return unseen("metrics", `whether ${path} can be written`, dirname(path));
    return not((error as Error).message);
  }
}

/** Whether the file system is mounted read-only; permissions are checked separately. */
function isReadOnly(path: string): boolean {
  return refusesWriting(path, "EROFS");
}

/** Whether this user may not write there. */
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

/** Whether /proc is mounted; this program's runtime exits at once without it. */
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
