import { closeSync, openSync, readSync } from "node:fs";
import { parseIp } from "../../core/encoding/ip-address.ts";
import { kernelAddress, MAPPED } from "../../io/process/kernel-address.ts";

/** A connection's ends as the responder sees them: `remote` is the program that asks. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/**
 * Bytes of the kernel's table that are read: some 50,000 sockets. Reading it costs time for each of them, so a user with
 * more must not slow down all answers.
 */
const MAX_TABLE = 8 * 1024 * 1024;
const CHUNK = 64 * 1024;
/** What all peers share whose user is not known. */
const UNKNOWN = "unknown";

/**
 * The user who asks, for the queue: `uid 1000`. From the kernel's tables of sockets (proc_net_tcp(5)), which also show
 * those of other users; the port alone says nothing, as everybody may take any.
 */
export function peerOf(ends: Ends): string {
  for (const [table, mapped] of TABLES) {
    const row = rowOf(ends, mapped);
    const uid = row === undefined ? undefined : find(table, row);
    if (uid !== undefined) return `uid ${uid}`;
  }
  return UNKNOWN;
}

/** A program may reach an IPv4 address through an IPv6 socket: its row is then in the other table. */
const TABLES = [
  ["/proc/net/tcp", false],
  ["/proc/net/tcp6", false],
  ["/proc/net/tcp6", true],
] as const;

/**
 * The user in a line of the table that begins, after its number, with these ends.
 *
 * @param row as {@link rowOf} writes it
 * @returns undefined where no line of the text has them
 */
export function uidIn(table: string, row: string): number | undefined {
  const at = table.indexOf(`: ${row} `);
  if (at < 0) return undefined;
  // Queues, timer and retransmissions come before the user.
  const [, , , uid] = table.slice(at + 3 + row.length).split(/\s+/, 4);
  return uid !== undefined && /^[0-9]{1,10}$/.test(uid) ? Number(uid) : undefined;
}

/**
 * How the table writes the peer's own socket, in the state ESTABLISHED. In other states the kernel no longer knows whose
 * it was and says 0, so that somebody who closes at once would take the places of root.
 *
 * @param isMapped whether the peer uses IPv6 for an IPv4 address
 */
export function rowOf(
  { remoteAddress, remotePort, localAddress, localPort }: Ends,
  isMapped: boolean,
): string | undefined {
  const ends = [
    [remoteAddress, remotePort],
    [localAddress, localPort],
  ] as const;
  const written = ends.map(([address = "", port]) => {
    const ip = parseIp(address);
    if (ip === undefined || port === undefined || (isMapped && ip.length !== 4)) return undefined;
    return kernelAddress(isMapped ? [...MAPPED, ...ip] : [...ip], port);
  });
  return written.includes(undefined) ? undefined : `${written.join(" ")} 01`;
}

function find(path: string, row: string): number | undefined {
  let table: number | undefined;
  try {
    table = openSync(path, "r");
    const buffer = Buffer.allocUnsafe(CHUNK);
    let line = "";
    for (let read = 0; read < MAX_TABLE; ) {
      const size = readSync(table, buffer);
      if (size === 0) return uidIn(line, row);
      read += size;
      const text = line + buffer.toString("latin1", 0, size);
      const end = text.lastIndexOf("\n") + 1;
      const uid = uidIn(text.slice(0, end), row);
      if (uid !== undefined) return uid;
      line = text.slice(end);
    }
  } catch {
    // Without the table all peers share the places of one.
  } finally {
    if (table !== undefined) closeSync(table);
  }
  return undefined;
}
