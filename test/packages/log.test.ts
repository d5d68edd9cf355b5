import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { containerdArgs } from "../support/binary.ts";
import { debianTool } from "../support/debian-tools.ts";
import { CleanSystem, canTryPackages, DEB } from "../support/packages.ts";
import { run, type ServerProcess, startServer } from "../support/process.ts";

// The decision log with the programs of Debian that have to do with it.

const testable = canTryPackages("the log with logrotate and journald");
const DIGEST = `sha256:${"0".repeat(64)}`;

describe.runIf(testable)("the log", () => {
  let system: CleanSystem;
  beforeAll(async () => {
    system = new CleanSystem("checkers");
    await system.must("dpkg", "--force-depends", "-i", system.bring(DEB));
  });
  afterAll(() => system.remove());

  it("is rotated by logrotate as the package says", async () => {
    const log = "/var/log/atcr-verify/decisions.log";
    writeFileSync(system.path(log), "{}\n", { mode: 0o640 });
    await system.must("logrotate", "--force", "/etc/logrotate.d/atcr-verify");
    expect([readFileSync(system.path(`${log}.1`), "utf8"), readFileSync(system.path(log), "utf8")]).toEqual([
      "{}\n",
      "",
    ]);
    expect((statSync(system.path(log)).mode & 0o777).toString(8)).toBe("640");
    // For a log shipper.
    await system.must("chown", "root:adm", log);
    writeFileSync(system.path(log), "{}\n");
    await system.must("logrotate", "--force", "/etc/logrotate.d/atcr-verify");
    expect((await system.must("stat", "-c", "%a %U %G", log)).trim()).toBe("640 root adm");
  });

  describe("in journald", () => {
    let journald: ServerProcess;
    let containerd: ServerProcess;
    const beside = (...command: readonly string[]) => ({
      command: "nsenter",
      args: ["--target", `${journald.pid}`, "--mount", "--root", "--wd=/", "--", ...command],
      env: system.inside("").env,
    });
    const inside = (...command: readonly string[]) => {
      const { command: program, args, env } = beside(...command);
      const input = JSON.stringify({
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: DIGEST,
        size: 1,
      });
      return run(program, args, { env, input });
    };
    beforeAll(async () => {
      writeFileSync(system.path("/etc/machine-id"), `${"1".repeat(32)}\n`);
      writeFileSync(system.path("/etc/atcr-verify/config.yaml"), "decisionLog: journald\n");
      mkdirSync(system.path("/run/systemd/journal"), { recursive: true });
      const socket = "/run/systemd/journal/stdout";
      journald = await startServer({
        name: "journald",
        ...system.inside("/lib/systemd/systemd-journald"),
        logFile: join(system.root, "journald.log"),
        ready: () => statSync(system.path(socket), { throwIfNoEntry: false })?.isSocket() === true,
      });
    });
    afterAll(() => Promise.all([containerd, journald].map((server) => server?.stop())));

    it("is a line for each decision, under the program's name, by how grave it is", async () => {
      const policy =
        "version: 1\ntrustedDIDs: [did:web:a.example]\npolicies: [{name: a, scope: a.example/a, action: allow}]\n";
      writeFileSync(system.path("/etc/atcr-verify/trust-policy.yaml"), policy);
      const ask = (name: string) => inside("atcr-verify", ...containerdArgs(name, DIGEST));
      expect([(await ask("a.example/a:v1")).code, (await ask("a.example/b:v1")).code]).toEqual([0, 1]);
      await inside("journalctl", "--sync");
      const { stdout } = await inside(
        "journalctl",
        "-D",
        "/run/log/journal",
        "-t",
        "atcr-verify",
        "-o",
        "json",
        "--no-pager",
      );
      const entries = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as { MESSAGE: string; PRIORITY: string });
      const told = entries.map(({ MESSAGE, PRIORITY }) => {
        const { image, code } = JSON.parse(MESSAGE) as { image: string; code: string };
        return [PRIORITY, image, code];
      });
      expect(told).toEqual([
        ["6", "a.example/a:v1", "exempt"],
        ["4", "a.example/b:v1", "policy.no_match"],
      ]);
    });

    it("is where the doctor looks for the pull that it has tried", async () => {
      for (const program of ["containerd", "ctr"])
        copyFileSync(debianTool(program), system.path(`/usr/bin/${program}`));
      containerd = await startServer({
        name: "containerd",
        ...beside("containerd"),
        logFile: join(system.root, "containerd.log"),
        ready: (log) => log.includes("containerd successfully booted"),
      });
      const probed = async () => {
        const { stdout } = await inside("atcr-verify", "doctor", "--offline", "--probe", "--output", "json");
        const { findings } = JSON.parse(stdout) as { findings: { level: string; name: string }[] };
        return findings
          .filter(({ name }) => /^(?:probe|decision)-log$/.test(name))
          .map(({ level, name }) => `${level} ${name}`);
      };
      await inside("atcr-verify", "enable", "--force");
      expect(await probed()).toEqual(["ok decision-log", "ok probe-log", "ok probe-log"]);
      renameSync(system.path("/usr/bin/journalctl"), system.path("/usr/bin/elsewhere"));
      expect(await probed()).toEqual(["ok decision-log", "warning probe-log", "warning probe-log"]);
    });
  });
});
