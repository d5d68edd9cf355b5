import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, pushImage } from "../support/image.ts";
import { CleanSystem, canTryPackages, DEB, PACKAGE_VERSION, packageFile } from "../support/packages.ts";
import { makeTemporaryDirectory, run, type ServerProcess, startServer } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";
import { recordImage, type SigningSide, startSigningSide } from "../support/scenario.ts";

// docs/install.md, command by command, as by somebody with a clean machine that has containerd with its defaults.

const testable =
  canTryPackages("docs/install.md on a clean machine") &&
  requirement("docs/install.md on a clean machine", ...["containerd", "ctr", "docker-registry"].map(missingTool));
const GUIDE = readFileSync(join(import.meta.dirname, "../../docs/install.md"), "utf8");
const POLICY = "/etc/atcr-verify/trust-policy.yaml";

/** What the guide has somebody type on a Debian, before it comes to building from the sources. */
const told = Array.from(
  GUIDE.slice(0, GUIDE.indexOf("## From the sources")).matchAll(
    /^(?:\$ )?((?:sudo )?(?:atcr-verify [a-z]|apt |sha256sum ).*)$/gm,
  ),
  ([, command = ""]) => command.replace(/\s+#.*$/, ""),
);

/** Those of them that other files type: apt with the folder of a release, and podman's gate with podman. */
const TYPED_ELSEWHERE: Readonly<Record<string, string>> = {
  "sudo apt update && sudo apt install atcr-verify": "packages/release-folders.test.ts",
  "sudo atcr-verify enable --containers": "e2e/lookaside-doctor.test.ts",
  "sudo atcr-verify doctor --containers --probe": "e2e/lookaside-doctor.test.ts",
};

const words = (text: string) => text.trim().split(/\s+/);

describe.runIf(testable)("a new administrator", () => {
  let system: CleanSystem;
  let registry: Registry;
  let side: SigningSide;
  let containerd: ServerProcess;
  let logs: string;
  const typed: string[] = [];

  /** Beside containerd, which sees the same file systems. */
  const onNode = (command: string, ...args: readonly string[]) =>
    run("nsenter", ["--target", `${containerd.pid}`, "--mount", "--root", "--wd=/", "--", command, ...args], {
      env: system.inside("").env,
    });
  /** Types a command of the guide, as root. */
  const type = async (command: string) => {
    typed.push(command);
    return onNode("sh", "-c", `cd /tmp && ${command.replace("sudo ", "")}`);
  };
  const pull = (repository: string) => onNode("ctr", "images", "pull", `${registry.host}/${repository}:v1`);
  const edit = (path: string, change: (text: string) => string) => {
    writeFileSync(system.path(path), change(readFileSync(system.path(path), "utf8")));
  };

  beforeAll(async () => {
    system = new CleanSystem();
    logs = makeTemporaryDirectory("walk-through");
    for (const program of ["containerd", "ctr"]) copyFileSync(debianTool(program), system.path(`/usr/bin/${program}`));
    [registry, side] = await Promise.all([startDockerRegistry(), startSigningSide("https")]);
    writeFileSync(system.path("/etc/lab-ca.pem"), side.ca ?? "");
    containerd = await startServer({
      name: "containerd",
      ...system.inside("containerd"),
      logFile: join(logs, "containerd"),
      ready: (log) => log.includes("containerd successfully booted"),
    });
    for (const repository of ["alice/app", "bob/app"])
      await pushImage(registry.url, repository, buildImage(repository), "v1");
  });
  afterAll(async () => {
    await Promise.all([containerd, registry, side].map((started) => started?.stop()));
    system.remove();
    rmSync(logs, { recursive: true });
  });

  it("has a package, and pulls are as they were", async () => {
    await run("make", ["checksums"], { cwd: join(import.meta.dirname, "../..") });
    system.bring(packageFile("SHA256SUMS"));
    const file = system.bring(DEB);
    expect(await type("sha256sum --ignore-missing -c SHA256SUMS")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(": OK"),
    });
    writeFileSync(system.path(file), "x", { flag: "a" });
    expect((await onNode("sh", "-c", "cd /tmp && sha256sum --ignore-missing -c SHA256SUMS")).code).toBe(1);
    system.bring(DEB);
    const installed = await type(`sudo apt install ./atcr-verify_${PACKAGE_VERSION}_amd64.deb`);
    expect([installed.code, installed.stderr]).toEqual([0, expect.any(String)]);
    const { code, stdout } = await type("atcr-verify selftest");
    expect([code, stdout]).toEqual([0, expect.stringContaining("all as expected")]);
    expect((await pull("bob/app")).code).toBe(0);
    expect((await onNode("atcr-verify", "log")).code).not.toBe(0);
  });

  it("edits the policy, and sees what is wrong and what would be refused", async () => {
    // What a laboratory needs and a real network does not.
    edit(
      "/etc/atcr-verify/config.yaml",
      (text) =>
        `${text}\nplcDirectories: ["${side.plc.origin}"]\nnetwork: {allow: ["127.0.0.0/8", "${registry.url}"], caFiles: [/etc/lab-ca.pem]}\n`,
    );
    // As installed it trusts nobody yet, and refuses nothing.
    const early = await onNode("atcr-verify", "enable");
    expect([early.code, early.stdout]).toEqual([0, expect.stringContaining("no signer yet")]);
    expect((await pull("bob/app")).code).toBe(0);
    await onNode("atcr-verify", "disable");
    const alice = await side.createSigner("alice");
    await recordImage(alice, buildImage("alice/app"), "alice/app");
    edit(POLICY, (text) => text.replace("trustedDIDs:\n", `trustedDIDs:\n  ${alice.did}: {name: Alice}\n`));
    const checked = await type("atcr-verify policy check");
    expect(checked.code).toBe(0);
    expect((await type("atcr-verify config check")).code).toBe(0);
    const images = await type("sudo atcr-verify images");
    expect([images.code, images.stdout]).toEqual([1, expect.stringContaining("audited")]);
  });

  it("enables it, and sees it proven", async () => {
    const enabled = await type("sudo atcr-verify enable");
    const [, printed = ""] = /^\$ sudo atcr-verify enable\n([^$`]+)/m.exec(GUIDE) ?? [];
    expect([enabled.code, words(enabled.stdout)]).toEqual([0, words(printed)]);
    const doctor = await type("sudo atcr-verify doctor --probe");
    expect([doctor.code, doctor.stdout]).toEqual([0, expect.stringContaining("a pull by CRI")]);
    // Started as the package of containerd does, without a word on its configuration.
    expect(doctor.stdout).toContain("containerd was started with /etc/containerd/config.toml");
    expect((await pull("alice/app")).code).toBe(0);
    expect((await pull("bob/app")).code).toBe(0);
    const log = await onNode("atcr-verify", "log", "--audited");
    expect(log.stdout).toContain("bob/app");
    expect(log.stdout).not.toContain("alice/app");
  });

  it("enforces, and can let through what cannot wait", async () => {
    const enforcing = (text: string): string =>
      text
        .replace("action: audit", "action: enforce\n    require: {owner: any}")
        .replace("default: audit", "default: deny");
    writeFileSync(system.path("/tmp/new-policy.yaml"), enforcing(readFileSync(system.path(POLICY), "utf8")));
    const would = await type("sudo atcr-verify images --refused --policy new-policy.yaml");
    expect([would.code, would.stdout]).toEqual([1, expect.stringContaining("bob/app")]);
    expect(would.stdout).not.toContain("alice/app");
    edit(POLICY, enforcing);
    expect((await pull("alice/app")).code).toBe(0);
    const refused = await pull("bob/app");
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("deny signature.none")]);
    const glass = system.path("/etc/atcr-verify/break-glass.yaml");
    const until = new Date(Date.now() + 3_600_000).toISOString();
    writeFileSync(glass, `reason: the PDS is down\nuntil: "${until}"\nscope: "**"\n`);
    expect((await pull("bob/app")).code).toBe(0);
    const { stdout } = await onNode("atcr-verify", "doctor", "--offline");
    expect(stdout).toMatch(/^problem {2}break-glass: .*the PDS is down/m);
    rmSync(glass);
    expect((await pull("bob/app")).code).toBe(1);
    const log = await onNode("atcr-verify", "log", "--lines", "3");
    const reasons = log.stdout.split("\n").map((line) => /deny signature\.none|allow break_glass/.exec(line)?.[0]);
    expect(reasons.slice(0, 3)).toEqual(["deny signature.none", "allow break_glass", "deny signature.none"]);
    // What is pulled again rests on evidence that is kept.
    expect((await pull("alice/app")).code).toBe(0);
    const { stdout: kept } = await onNode("atcr-verify", "cache", "list");
    expect(kept).toMatch(/^evidence {2}sha256:.* fresh /m);
  });

  it("upgrades, disables and removes it", async () => {
    await onNode("dpkg", "-i", `/tmp/atcr-verify_${PACKAGE_VERSION}_amd64.deb`);
    expect((await pull("bob/app")).code).toBe(1);
    const disabled = await type("sudo atcr-verify disable");
    expect([disabled.code, (await pull("bob/app")).code]).toEqual([0, 0]);
    await type("sudo atcr-verify enable");
    expect((await pull("bob/app")).code).toBe(1);
    await onNode("apt", "remove", "-y", "atcr-verify");
    expect([(await pull("bob/app")).code, existsSync(system.path(POLICY))]).toEqual([0, true]);
  });

  it("was told no command that was not typed here", () => {
    expect(told.length).toBeGreaterThan(5);
    expect(told).toEqual(expect.arrayContaining(Object.keys(TYPED_ELSEWHERE)));
    for (const file of Object.values(TYPED_ELSEWHERE))
      expect(existsSync(join(import.meta.dirname, "..", file))).toBe(true);
    expect(told.filter((command) => !typed.includes(command) && !(command in TYPED_ELSEWHERE))).toEqual([]);
  });
});
