import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** A process of containerd, as /proc shows it. */
export interface Daemon {
  readonly pid: number;
  /** Absolute path of its program, even if that was replaced. */
  readonly program: string;
  readonly isReplaced: boolean;
  /** As it was called: a name, or a path that may be relative to its working directory. */
  readonly argv0: string;
  /** Its working directory. */
  readonly folder: string;
  /** Absolute path of its configuration. */
  readonly configPath: string;
  readonly environment: ReadonlyMap<string, string>;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

const DEFAULT_CONFIG = "/etc/containerd/config.toml";
/** How many clock ticks are in a second, as user space sees them (proc_pid_stat(5)); the same on every Linux. */
const TICKS = 100;
/** What Linux appends to the path of a program whose file was deleted. */
const DELETED = / \(deleted\)$/;

/**
 * The process that listens on a socket.
 *
 * @param socket absolute path
 * @returns undefined if no process listens, or this user cannot see which one does
 */
export function daemonAt(socket: string): Daemon | undefined {
  try {
    // /var/run is a link.
    const inode = listenerOf(join(realpathSync(dirname(socket)), basename(socket)));
    if (inode === undefined) return undefined;
    const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && holds(name, inode));
    return pid === undefined ? undefined : daemonOf(Number(pid));
  } catch {
    return undefined; // the process has ended
  }
}

/** Whether a process listens on a socket, even one that this user cannot see. */
export function isListenedOn(socket: string): boolean {
  try {
    return listenerOf(join(realpathSync(dirname(socket)), basename(socket))) !== undefined;
  } catch {
    return false;
  }
}

/** Whether a process of this machine is called containerd, or runs its program, at whatever socket it listens. */
export function isAnyRunning(): boolean {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.some((pid) => isCalledSo(`/proc/${pid}/comm`, readText) || isCalledSo(`/proc/${pid}/exe`, readlinkSync));
}

/** Whether what is read is containerd's name, or a path of it; false where it cannot be read: another user's, or gone. */
function isCalledSo(path: string, read: (path: string) => string): boolean {
  try {
    return basename(read(path).trim().replace(DELETED, "")) === "containerd";
  } catch {
    return false;
  }
}

function readText(path: string): string {
  return readFileSync(path, "utf8");
}

/** Inode of the listening socket; sockets of its connections have the same path. */
function listenerOf(socket: string): string | undefined {
  for (const line of readFileSync("/proc/net/unix", "utf8").split("\n")) {
    // Num RefCount Protocol Flags Type St Inode Path; flag __SO_ACCEPTCON
    const [, , , flags, , , inode, path] = line.split(" ").filter((field) => field !== "");
    if (path === socket && flags === "00010000") return inode;
  }
  return undefined;
}

function holds(pid: string, inode: string): boolean {
  try {
    const open = `/proc/${pid}/fd`;
    return readdirSync(open).some((fd) => {
      try {
        return readlinkSync(`${open}/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false;
      }
    });
  } catch {
    return false; // another user's, or gone
  }
}

function daemonOf(pid: number): Daemon {
  const proc = `/proc/${pid}`;
  const args = readFileSync(`${proc}/cmdline`, "utf8").split("\0");
  const environment = readFileSync(`${proc}/environ`, "utf8")
    .split("\0")
    .filter((entry) => entry.includes("="))
    .map((entry): [string, string] => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]);
  const named = configOf(args);
  const folder = readlinkSync(`${proc}/cwd`);
  const exe = readlinkSync(`${proc}/exe`);
  return {
    pid,
    program: exe.replace(DELETED, ""),
    argv0: args[0] ?? "",
    folder,
    isReplaced: DELETED.test(exe),
    configPath: named === undefined ? DEFAULT_CONFIG : resolve(folder, named),
    environment: new Map(environment),
    startedAt: startOf(readFileSync(`${proc}/stat`, "latin1")),
  };
}

/** As Go's flag package reads them: with one dash or two, the value behind "=" or in the next argument, the last counts. */
function configOf(args: readonly string[]): string | undefined {
  const at = args.findLastIndex((arg) => /^--?(?:config|c)(?:=|$)/.test(arg));
  const [, value] = /^[^=]*=(.*)$/s.exec(args[at] ?? "") ?? [];
  return at === -1 ? undefined : (value ?? args[at + 1]);
}

/** @param stat of the process, whose start is relative to the boot time @returns milliseconds since 1970 */
function startOf(stat: string): number {
  const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  return Date.now() - (uptime - ticks / TICKS) * 1000;
}
