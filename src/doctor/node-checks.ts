import { existsSync, lstatSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { hasCode } from "../disk/error-code.ts";
import { check, checkWay } from "../disk/trusted-way.ts";
import { type Finding, ok, problem, warning } from "./check.ts";

/** Before this the program did not exist: a clock that says so has not been set. */
const NOT_BEFORE = Date.UTC(2026, 0, 1);
/** What must be free for what the program writes, in bytes. */
const FREE = 64 * 1024 * 1024;
/** Where systemd-timesyncd and chrony leave a sign that the clock has been set. */
const SYNCHRONISED = ["/run/systemd/timesync/synchronized", "/run/chrony", "/var/lib/chrony/drift", "/run/ntpd.pid"];
/** Bundles and folders of the distributions, in the order in which the runtime looks for them. */
const ROOTS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** @param now milliseconds since 1970 */
export function checkClock(now: number): Finding {
  const name = "clock";
  const time = new Date(now).toISOString();
  if (now < NOT_BEFORE) return problem(name, `the clock says ${time}`, "set it: what is valid when is told by it");
  return SYNCHRONISED.some((path) => existsSync(path))
    ? ok(name, `the clock says ${time}, and a time service is there`)
    : warning(
        name,
        `the clock says ${time}, and no time service was found`,
        "run one: validity, maxAge and revs are compared with it",
      );
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
}

export function checkFolder({ name, path, without, isMade, isWayTrusted }: OwnFolder): Finding {
  try {
    if (isWayTrusted) checkWay(path);
    else check(lstatSync(path), path);
    if (!lstatSync(path).isDirectory() && !(isWayTrusted && statSync(path).isDirectory()))
      return problem(name, `${path} is no folder: ${without}`, "move it away");
    const { bavail, bsize } = statfsSync(path);
    const free = bavail * bsize;
    if (free < FREE) return warning(name, `${path} has ${Math.floor(free / 1024 / 1024)} MiB left`, "make room");
    return ok(name, `${path} can be used`);
  } catch (error) {
    if (!hasCode(error, "ENOENT"))
      return problem(name, `${path} is not used: ${(error as Error).message}; ${without}`, "correct owner and mode");
    if (isMade && existsSync(dirname(path))) return ok(name, `${path} is made when it is needed`);
    return warning(name, `${path} is not there: ${without}`, `run: install -d -m 0750 ${path}`);
  }
}

/** Certificate authorities of the system. @param named by SSL_CERT_FILE of containerd's environment */
export function checkRoots(named: string | undefined): Finding {
  const name = "certificates";
  const path = named ?? ROOTS.find((one) => existsSync(one));
  const advice = "install the package ca-certificates";
  if (path === undefined)
    return problem(name, "no certificate authorities were found: nothing can be asked by https", advice);
  try {
    const count = readFileSync(path, "latin1").split("-----BEGIN CERTIFICATE-----").length - 1;
    return count > 0
      ? ok(name, `${count} certificate authorities in ${path}`)
      : problem(name, `there is no certificate in ${path}`, advice);
  } catch (error) {
    return problem(name, `${path} cannot be read: ${(error as Error).message}`, advice);
  }
}

/** Whether /proc is there, without which the program cannot start anew. */
export function checkProc(): Finding {
  try {
    readdirSync("/proc/self/fd");
    return ok("proc", "/proc is mounted");
  } catch {
    return warning("proc", "/proc is not mounted", "mount it: without it each pull takes longer");
  }
}
