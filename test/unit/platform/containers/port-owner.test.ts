import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkPort } from "../../../../src/doctor/lookaside-checks.ts";
import { portOwner } from "../../../../src/platform/containers/port-owner.ts";

/** A line of /proc/net/tcp: 127.0.0.1 and a port, of a user. */
const line = (port: number, uid: number, state = "0A") =>
  `   0: 0100007F:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 12345 1\n`;
const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

function procWith(tcp: string, first = "1024"): string {
  const root = mkdtempSync(join(tmpdir(), "proc-"));
  for (const [name, text] of [
    ["net/tcp", `${HEAD}${tcp}`],
    ["sys/net/ipv4/ip_unprivileged_port_start", `${first}\n`],
  ] as const) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

describe("portOwner", () => {
  it.each([
    ["systemd", line(947, 0), "1024", { users: [0], isPrivileged: true }, "ok"],
    ["nobody, but only root can take it", line(948, 1000), "1024", { users: [], isPrivileged: true }, "ok"],
    [
      "nobody, and connections from it are no listeners",
      line(947, 1000, "01"),
      "0",
      { users: [], isPrivileged: false },
      "warning",
    ],
    ["another user", line(947, 1000), "0", { users: [1000], isPrivileged: false }, "warning"],
    [
      "root and another user, at two addresses",
      line(947, 0) + line(947, 1000),
      "1024",
      { users: [0, 1000], isPrivileged: true },
      "warning",
    ],
  ])("knows who holds the port: %s", (_, tcp, first, owner, level) => {
    expect(portOwner(947, procWith(tcp, first))).toEqual(owner);
    const { name, ...found } = checkPort({ address: "127.0.0.1", port: 947, keyFile: "/k" }, owner);
    expect([name, found.level]).toEqual(["containers-port", level]);
  });
});
