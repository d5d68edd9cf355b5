import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CleanSystem, canTryPackages, DEB } from "../support/packages.ts";

// In Debian 12 with systemd's programs, but no running systemd: lookaside-systemd.test.ts starts the units.

const testable = canTryPackages("systemd's units of the lookaside daemon");
const UNITS = ["atcr-verify-lookaside.socket", "atcr-verify-lookaside.service"];
const FOLDER = "/var/lib/atcr-verify-lookaside";
const OWN = "/etc/containers/registries.d/atcr-verify.yaml";
/** Of systemd-analyze, from 0, the best, to 10: what remains is the network and the runtime's compiler. */
const MOST_EXPOSED = 2;

describe.runIf(testable)("the lookaside daemon's units", () => {
  let system: CleanSystem;
  beforeAll(async () => {
    system = new CleanSystem("checkers");
    await system.must("dpkg", "--force-depends", "-i", system.bring(DEB));
  });
  afterAll(() => system.remove());

  it("are understood by systemd, and confined", async () => {
    const paths = UNITS.map((unit) => `/usr/lib/systemd/system/${unit}`);
    const { code, stdout, stderr } = await system.run("systemd-analyze", "verify", "--man=no", ...paths);
    expect([code, stdout, stderr]).toEqual([0, "", ""]);
    const { stdout: table } = await system.run("systemd-analyze", "security", "--offline=true", paths[1] ?? "");
    const [, level] = /exposure level for \S+: ([\d.]+)/.exec(table) ?? [];
    expect(Number(level)).toBeLessThan(MOST_EXPOSED);
  });

  it("run as a user of their own, and are neither enabled nor given a key by the package", async () => {
    const { stdout } = await system.run("getent", "passwd", "atcr-verify-lookaside");
    expect(stdout).toMatch(
      /^atcr-verify-lookaside:[^:]*:\d+:\d+:[^:]*:\/var\/lib\/atcr-verify-lookaside:\/usr\/sbin\/nologin\n$/,
    );
    expect(existsSync(system.path("/etc/systemd/system/sockets.target.wants/atcr-verify-lookaside.socket"))).toBe(
      false,
    );
    expect(existsSync(system.path(FOLDER))).toBe(false);
  });

  it("say at removal which registries podman refuses from now on, and leave that so", async () => {
    const policy =
      "version: 1\\ntrustedDIDs: [did:web:a.example]\\npolicies: [{name: a, scope: atcr.example/**, action: enforce}]\\n";
    await system.must("sh", "-c", `printf '${policy}' > /etc/atcr-verify/trust-policy.yaml`);
    await system.must("atcr-verify", "enable", "--containers");
    const before = readFileSync(system.path("/etc/containers/policy.json"), "utf8");
    // As it is after the daemon has run, and an administrator has enabled it.
    await system.must("sh", "-c", `mkdir ${FOLDER} && touch ${FOLDER}/node.key && systemctl enable ${UNITS[0]}`);
    const removed = await system.run("dpkg", "-r", "atcr-verify");
    expect([removed.code, removed.stderr]).toEqual([0, expect.stringMatching(/REFUSE all images of: atcr\.example\b/)]);
    expect(readFileSync(system.path("/etc/containers/policy.json"), "utf8")).toBe(before);
    expect([OWN, `${FOLDER}/node.key`].map((path) => existsSync(system.path(path)))).toEqual([true, true]);
    await system.must("dpkg", "-P", "atcr-verify");
    const wants = "/etc/systemd/system/sockets.target.wants/atcr-verify-lookaside.socket";
    expect((await system.run("ls", "-d", FOLDER, wants)).stdout).toBe("");
  });
});
