import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BootedSystem } from "../support/booted-system.ts";
import { CleanSystem, canTryPackages, DEB } from "../support/packages.ts";

// Debian 12's systemd as pid 1 runs the packaged units: whether the sandbox lets the program work, and who has the port.

const testable = canTryPackages("the lookaside daemon under systemd");
const SOCKET = "atcr-verify-lookaside.socket";
const SERVICE = "atcr-verify-lookaside.service";
const FOLDER = "/var/lib/atcr-verify-lookaside";
const POLICY = "/etc/atcr-verify/trust-policy.yaml";
const CONFIG = "/etc/atcr-verify/config.yaml";
const EXEMPT = "exempt.example/app";
/** systemd waits two seconds before it starts a failed service again. */
const PATIENCE = 20;

const NEW_KEY = ["runuser", "-u", "atcr-verify-lookaside", "--", "atcr-verify", "lookaside", "--new-key"] as const;

/** Asks as containers/image does; prints the status line. */
const ASK = `
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:947") or print("refused") && exit;
my $digest = "sha256=" . "0" x 64;
print $s "GET /$ARGV[0]\\@$digest/signature-1 HTTP/1.1\\r\\nHost: 127.0.0.1:947\\r\\n\\r\\n";
$SIG{ALRM} = sub { print "no answer"; exit };
alarm $ARGV[1];
print scalar(<$s>) =~ s/\\r\\n//r;`;

describe.runIf(testable)("the packaged units under systemd", () => {
  let system: CleanSystem;
  let booted: BootedSystem;
  beforeAll(async () => {
    system = new CleanSystem("checkers");
    booted = await BootedSystem.boot(system);
    await booted.must("dpkg", "--force-depends", "-i", system.bring(DEB));
    const rules =
      '[{name: exempt, scope: "exempt.example/**", action: allow}, {name: signed, scope: "signed.example/**", action: enforce}]';
    const text = `version: 1.0\ntrustedDIDs: [did:web:a.invalid]\npolicies: ${rules}\ndefault: deny\n`;
    writeFileSync(system.path(POLICY), text);
  }, 240_000);
  afterAll(async () => {
    await booted?.stop();
    system?.remove();
  });

  const ask = (name: string, seconds = PATIENCE) => booted.must("perl", "-e", ASK, name, String(seconds));
  const states = async (verb: string) => (await booted.run("systemctl", verb, SOCKET, SERVICE)).stdout.split("\n", 2);
  const show = async (property: string) => (await booted.must("systemctl", "show", "-P", property, SERVICE)).trim();

  it("are neither enabled nor started by the package", async () => {
    expect([await states("is-enabled"), await states("is-active")]).toEqual([
      ["disabled", "indirect"],
      ["inactive", "inactive"],
    ]);
    expect([await ask(EXEMPT), existsSync(system.path(FOLDER))]).toEqual(["refused", false]);
  });

  it("start the program at the first question, which makes its key, answers, and asks others", async () => {
    await booted.must("systemctl", "enable", "--now", SOCKET);
    expect(await states("is-active")).toEqual(["active", "inactive"]);
    expect(await ask(EXEMPT)).toBe("HTTP/1.1 200 OK");
    expect(await ask("exempt.example/atcr-verify-probe/a")).toMatch(/^HTTP\/1\.1 403 deny policy\.probe: /);
    // There is no network but loopback: that it is tried counts.
    expect(await ask("signed.example/app")).toMatch(/^HTTP\/1\.1 403 inconclusive identity\.unreachable: .*\bDNS_/);
    const listed = await booted.must("sh", "-c", `cd ${FOLDER} && stat -c '%n %a %U' . node.key*`);
    const user = "atcr-verify-lookaside";
    expect(listed).toBe(
      `. 755 ${user}\nnode.key 600 ${user}\nnode.key.machine 644 ${user}\nnode.key.pub 644 ${user}\n`,
    );
  });

  it("confine it: no capability, a filter of calls, no memory both writable and executable, and who asks is seen", async () => {
    const pid = await show("MainPID");
    const status = await booted.must("cat", `/proc/${pid}/status`);
    expect(status).toMatch(/^CapBnd:\t0{16}$/m);
    for (const line of [/^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m]) expect(status).toMatch(line);
    expect(await booted.must("cat", `/proc/${pid}/maps`)).not.toMatch(/^\S+ rwx/m);
    // As the daemon sees it: systemd's listening socket of root.
    const table = await booted.must("nsenter", "--target", pid, "--mount", "cat", "/proc/net/tcp");
    expect(table).toMatch(/ 0100007F:03B3 00000000:0000 0A /);
  });

  it("answer again after the program was killed, stopped or restarted, as systemd holds the port", async () => {
    await booted.must("systemctl", "kill", "--signal=KILL", SERVICE);
    expect(await ask(EXEMPT)).toBe("HTTP/1.1 200 OK");
    await booted.must("systemctl", "stop", SERVICE);
    expect(await states("is-active")).toEqual(["active", "inactive"]);
    expect(await ask(EXEMPT)).toBe("HTTP/1.1 200 OK");
    for (const unit of [SERVICE, SOCKET]) {
      await booted.must("systemctl", "restart", unit);
      expect(await ask(EXEMPT), unit).toBe("HTTP/1.1 200 OK");
    }
  });

  it("keep the port while the configuration is broken at the start, and answer once it is mended", async () => {
    writeFileSync(system.path(CONFIG), "bogus: 1\n");
    try {
      await booted.must("systemctl", "restart", SERVICE);
      // Longer than the ten seconds in which systemd gives up after five starts.
      expect(await ask(EXEMPT, 13)).toBe("no answer");
    } finally {
      writeFileSync(system.path(CONFIG), "");
    }
    expect(await ask(EXEMPT)).toBe("HTTP/1.1 200 OK");
  });

  it("get a new key by the command that the program tells root", async () => {
    const key = () => booted.must("cat", `${FOLDER}/node.key.pub`);
    const before = await key();
    const refused = await booted.run("atcr-verify", "lookaside", "--new-key");
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining(` ${NEW_KEY.join(" ")}\n`)]);
    expect(await key()).toBe(before);
    await booted.must(...NEW_KEY);
    expect(await key()).not.toBe(before);
    await booted.must("systemctl", "restart", SERVICE);
    expect(await ask(EXEMPT)).toBe("HTTP/1.1 200 OK");
  });

  it("go on with the new program after an upgrade, and are stopped by a removal and gone after a purge", async () => {
    const before = await show("MainPID");
    await booted.must("dpkg", "--force-depends", "-i", system.bring(DEB));
    expect(await ask(EXEMPT)).toBe("HTTP/1.1 200 OK");
    expect(await show("MainPID")).not.toBe(before);
    await booted.must("systemctl", "mask", "--now", SOCKET);
    expect(await ask(EXEMPT)).toBe("refused");
    await booted.must("systemctl", "unmask", SOCKET);
    await booted.must("systemctl", "start", SOCKET, SERVICE);
    await booted.must("dpkg", "-r", "atcr-verify");
    expect([await ask(EXEMPT), existsSync(system.path(FOLDER))]).toEqual(["refused", true]);
    await booted.must("dpkg", "-P", "atcr-verify");
    const { stdout } = await booted.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "atcr-verify*");
    expect([stdout, existsSync(system.path(FOLDER))]).toEqual(["", false]);
  });
});
