import { readFileSync } from "node:fs";

/** State of a listening socket in /proc/net/tcp (proc(5)). */
const LISTEN = "0A";
const COLUMNS = { local: 1, state: 3, uid: 7 } as const;
/** Ports below it can be taken only by root; the kernel's default. */
const PRIVILEGED = 1024;

/** Who may hold a port of this machine. */
export interface PortOwner {
  /** Users whose sockets listen on it: systemd's own are root's. */
  readonly users: readonly number[];
  /** Whether only root can take it. */
  readonly isPrivileged: boolean;
}

/** @param root of /proc: `/proc` @throws Error of the file system */
export function portOwner(port: number, root = "/proc"): PortOwner {
  const users = ["tcp", "tcp6"].flatMap((table) => listeners(textOf(`${root}/net/${table}`) ?? "", port));
  const first = Number(textOf(`${root}/sys/net/ipv4/ip_unprivileged_port_start`) ?? PRIVILEGED);
  return { users: [...new Set(users)], isPrivileged: port < first };
}

function listeners(table: string, port: number): readonly number[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const isIt = columns[COLUMNS.state] === LISTEN && columns[COLUMNS.local]?.endsWith(suffix) === true;
    return isIt ? [Number(columns[COLUMNS.uid])] : [];
  });
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // IPv6 may be switched off.
  }
}
