import { readFileSync } from "node:fs";
import type { LookasideSettings } from "../../core/config/lookaside-settings.ts";
import { parseIp } from "../../core/encoding/ip-address.ts";
import { kernelAddress, MAPPED } from "../../io/process/kernel-address.ts";

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

/**
 * Who listens where the lookaside responder does: at its address and port, or at all addresses of that port.
 *
 * @param root of /proc: `/proc`
 */
export function portOwner({ address, port }: Pick<LookasideSettings, "address" | "port">, root = "/proc"): PortOwner {
  const ip = [...(parseIp(address) ?? [])];
  // A socket of IPv6 at all addresses also accepts connections to those of IPv4.
  const [all4, all6] = [Array<number>(4).fill(0), Array<number>(16).fill(0)];
  const places = ip.length === 4 ? [ip, [...MAPPED, ...ip], all4, all6] : [ip, all6];
  const ends = places.map((place) => kernelAddress(place, port));
  const users = ["tcp", "tcp6"].flatMap((table) => listeners(textOf(`${root}/net/${table}`) ?? "", ends));
  const first = Number(textOf(`${root}/sys/net/ipv4/ip_unprivileged_port_start`) ?? PRIVILEGED);
  return { users: [...new Set(users)], isPrivileged: port < first };
}

function listeners(table: string, ends: readonly string[]): readonly number[] {
  return table.split("\n").flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const isIt = columns[COLUMNS.state] === LISTEN && ends.includes(columns[COLUMNS.local] ?? "");
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
