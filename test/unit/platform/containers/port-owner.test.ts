import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkPort } from "../../../../src/doctor/lookaside-checks.ts";
import { portOwner } from "../../../../src/platform/containers/port-owner.ts";

/** A line of /proc/net/tcp: 127.0.0.1 or another address, a port and a user. */
const line = (port: number, uid: number, state = "0A", address = "0100007F") =>
  `   0: ${address}:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 12345 1\n`;
const LISTEN = { address: "127.0.0.1", port: 947 };
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
      "problem",
    ],
    ["another user", line(947, 1000), "0", { users: [1000], isPrivileged: false }, "problem"],
    [
      "another user, where only root can take it",
      line(947, 1000),
      "1024",
      { users: [1000], isPrivileged: true },
      "problem",
    ],
    ["systemd, where every user could take it", line(947, 0), "0", { users: [0], isPrivileged: false }, "ok"],
    [
      "root, and another user at all addresses",
      line(947, 0) + line(947, 1000, "0A", "00000000"),
      "1024",
      { users: [0, 1000], isPrivileged: true },
      "problem",
    ],
    [
      "root, and another user at another address, which does not count",
      line(947, 0) + line(947, 1000, "0A", "0200007F"),
      "1024",
      { users: [0], isPrivileged: true },
      "ok",
    ],
  ])("knows who holds the port: %s", (_, tcp, first, owner, level) => {
    expect(portOwner(LISTEN, procWith(tcp, first))).toEqual(owner);
    const { name, ...found } = checkPort(LISTEN, owner);
    expect([name, found.level]).toEqual(["containers-port", level]);
  });

  it("knows listeners of IPv6, at the address, at all addresses, and at an IPv4 address within it", () => {
    const [zeros, one, mapped] = ["0".repeat(32), `${"0".repeat(24)}01000000`, "0000000000000000FFFF00000100007F"];
    const root = procWith(line(947, 4, "0A", "0200007F"));
    writeFileSync(
      join(root, "net/tcp6"),
      `${HEAD}${[zeros, one, mapped].map((at, i) => line(947, i + 1, "0A", at)).join("")}`,
    );
    expect(portOwner(LISTEN, root).users).toEqual([1, 3]);
    expect(portOwner({ address: "::1", port: 947 }, root).users).toEqual([1, 2]);
  });
});
