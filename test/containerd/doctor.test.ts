import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { probe } from "../../src/doctor/probe.ts";
import { abortIngest } from "../../src/platform/containerd/content.ts";
import { ask, BINARY } from "../support/binary.ts";
import { keyEnvironment } from "../support/cache-key.ts";
import { type Containerd, installVerifier, startContainerd, uninstallVerifier } from "../support/containerd.ts";
import { debianTool } from "../support/debian-tools.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const canBeRoot = requirement("the doctor's probe by CRI", missingRoot("CRI needs it"));
const folder = makeTemporaryDirectory("doctor");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Finding {
  readonly level: string;
  readonly name: string;
  readonly found: string;
}

const CONFIG = join(folder, "config.yaml");
writeFileSync(
  join(folder, "policy.yaml"),
  'version: 1\ntrustedDIDs: ["did:web:a.example"]\npolicies:\n  - {name: sandbox, scope: registry.k8s.io/pause, action: allow}\n  - {name: a, scope: "a.example/**", action: enforce}\n',
);
const SETTINGS = {
  trustPolicyPath: join(folder, "policy.yaml"),
  stateDir: join(folder, "state"),
  cacheDir: join(folder, "cache"),
  decisionLog: join(folder, "decisions.log"),
};
writeFileSync(CONFIG, JSON.stringify(SETTINGS));
const GLASS = join(folder, "glass.yaml");

/** What a pull may leave behind: the images, the content, what was begun of it, and leases, of ctr and of CRI. */
async function leftBehind({ socket }: Containerd): Promise<readonly string[]> {
  // What was begun first: containerd forgets that by itself after a while.
  const asked = [
    ["content", "active"],
    ["images", "list"],
    ["content", "list"],
    ["leases", "list"],
  ].flatMap((what) => ["default", "k8s.io"].map((namespace) => ["--namespace", namespace, ...what]));
  const lines: string[] = [];
  for (const args of asked) {
    const { code, stdout } = await run(debianTool("ctr"), ["--address", socket, ...args]);
    expect(code).toBe(0);
    lines.push(...stdout.trim().split("\n").slice(1)); // without the heading
  }
  return lines;
}

async function command(containerd: Containerd, ...args: readonly string[]) {
  const answer = await ask([...args, "--address", containerd.socket, "--output", "json"], {
    env: { PATH: process.env["PATH"] ?? "" },
  });
  const said = JSON.parse(answer.stdout) as { readonly findings: readonly Finding[] };
  return { ...answer, said };
}

/** Findings that have tests of their own: each containerd here has its certs.d in a folder of its own, and the machine may run dockerd. */
const OTHERS = new Set(["clock", "registry-config", "other-clients"]);

/** What the doctor finds, other than ok; services of the policy are not there and are left out. */
async function doctor(containerd: Containerd, ...args: readonly string[]) {
  const { code, said } = await command(containerd, "doctor", "--offline", ...args);
  const bad = said.findings.filter(
    ({ level, name }) =>
      (level === "problem" || level === "warning") && !OTHERS.has(name) && !(name === "probe" && level === "warning"),
  );
  return { code, bad: bad.map(({ level, name }) => `${level} ${name}`), all: said.findings };
}

describe("on a containerd as it should be", () => {
  let containerd: Containerd;
  beforeAll(async () => {
    containerd = await startContainerd({
      env: { ATCR_VERIFY_CONFIG: CONFIG, ...keyEnvironment(folder), ATCR_VERIFY_BREAK_GLASS: GLASS },
    });
  });
  afterAll(() => containerd.stop());

  it("enable places the link, the probe proves it, disable takes it out", async () => {
    const enabled = await command(containerd, "enable");
    expect([enabled.code, readdirSync(containerd.binDir)]).toEqual([0, ["atcr-verify"]]);
    expect(enabled.said).toMatchObject({
      changed: true,
      binDir: containerd.binDir,
      program: BINARY,
      summary: expect.stringContaining("containerd runs it at each pull from now on"),
    });
    expect((await command(containerd, "enable")).said).toMatchObject({ changed: false });

    const { code, bad, all } = await doctor(containerd, "--probe");
    expect([code, bad]).toEqual([0, []]);
    const ways = containerd.root ? 2 : 1;
    expect(all.filter(({ name }) => name === "probe").length).toBe(ways);
    expect(all.filter(({ name }) => name === "probe-log").length).toBe(ways);
    expect(await leftBehind(containerd)).toEqual([]);

    expect((await command(containerd, "disable")).said).toMatchObject({ changed: true });
    expect(readdirSync(containerd.binDir)).toEqual([]);
    expect((await command(containerd, "disable")).said).toMatchObject({ changed: false });
  });

  it("finds that containerd has its hosts.toml elsewhere, as containerd itself reads its configuration", async () => {
    const found = async (...args: readonly string[]) =>
      (await doctor(containerd, ...args)).all.filter(({ name }) => name === "registry-config");
    expect((await found()).map(({ level }) => level)).toEqual(["warning"]);
    const same = join(folder, "same-certs.yaml");
    writeFileSync(same, JSON.stringify({ ...SETTINGS, registryConfigPath: containerd.hosts }));
    expect((await found("--config", same)).map(({ level }) => level)).toEqual(["ok"]);
  });

  it("the probe finds that the verifier is unlinked", async () => {
    const { code, bad, all } = await doctor(containerd, "--probe");
    const ways = containerd.root ? 2 : 1;
    expect([code, bad]).toEqual([1, ["problem link", ...Array<string>(ways).fill("problem probe")]]);
    for (const { found } of all.filter(({ name }) => name === "probe")) expect(found).toContain("was let through");
    expect(await leftBehind(containerd)).toEqual([]);
  });

  it("what a pull has begun is taken back, and no mistake where there is nothing", async () => {
    const ref = "manifest-of-the-test";
    const args = ["--address", containerd.socket, "content", "ingest", ref];
    const writer = spawn(debianTool("ctr"), args, { stdio: ["pipe", "ignore", "ignore"] });
    try {
      writer.stdin.write("{");
      await expect.poll(() => leftBehind(containerd), { timeout: 5000 }).toEqual([expect.stringContaining(ref)]);
      await abortIngest(containerd.socket, "default", ref, 5000);
      expect(await leftBehind(containerd)).toEqual([]);
      await abortIngest(containerd.socket, "default", ref, 5000);
    } finally {
      writer.kill("SIGKILL");
    }
  });

  it("the probe finds that another program answers in its place", async () => {
    installVerifier(containerd.binDir, "/bin/true");
    const shadowed = await doctor(containerd, "--probe");
    expect(shadowed.bad).toEqual(expect.arrayContaining(["problem link", "problem probe"]));
    installVerifier(containerd.binDir, "/bin/false");
    const refused = await doctor(containerd, "--probe");
    expect(refused.bad).toEqual(expect.arrayContaining(["problem link", "problem probe"]));
    uninstallVerifier(containerd.binDir);
  });

  it("the probe finds that it is one of too many", async () => {
    for (let i = 0; i < 10; i++) installVerifier(containerd.binDir, "/bin/true", `a${i}`);
    installVerifier(containerd.binDir, BINARY);
    const { bad } = await doctor(containerd, "--probe");
    expect(bad).toEqual(expect.arrayContaining(["problem link", "problem probe"]));
    for (const name of readdirSync(containerd.binDir)) uninstallVerifier(containerd.binDir, name);
  });

  it("enable neither places a link that is skipped, nor takes another verifier's place, unless told to", async () => {
    const others = ["a", "z"].map((letter) => Array.from({ length: 10 }, (_, i) => `${letter}${i}`));
    for (const names of others) {
      for (const name of names) installVerifier(containerd.binDir, "/bin/true", name);
      expect(await command(containerd, "enable")).toMatchObject({ code: 1, said: { changed: false } });
      expect(readdirSync(containerd.binDir).toSorted()).toEqual(names);
      expect(await command(containerd, "enable", "--force")).toMatchObject({ code: 1, said: { changed: true } });
      for (const name of readdirSync(containerd.binDir)) uninstallVerifier(containerd.binDir, name);
    }
  });

  it("enable says where containerd does not look at the link", async () => {
    const elsewhere = join(folder, "elsewhere");
    const refused = await command(containerd, "enable", "--bin-dir", elsewhere);
    expect([refused.code, refused.said, existsSync(elsewhere)]).toEqual([
      1,
      expect.objectContaining({ changed: false }),
      false,
    ]);
    const { code, said } = await command(containerd, "enable", "--bin-dir", elsewhere, "--force");
    expect([code, said.findings.map(({ level, name }) => `${level} ${name}`)]).toEqual([1, ["problem bin-dir"]]);
    expect(await command(containerd, "disable")).toMatchObject({ code: 0, said: { changed: true } });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("enable places nothing where no pod would start then", async () => {
    if (!containerd.root) return expect(canBeRoot).toBe(false);
    const policy = join(folder, "no-sandbox.yaml");
    const rule = '{name: a, scope: "a.example/**", action: enforce}';
    writeFileSync(policy, `version: 1\ntrustedDIDs: ["did:web:a.example"]\npolicies: [${rule}]\ndefault: deny\n`);
    const config = join(folder, "no-sandbox-config.yaml");
    writeFileSync(config, JSON.stringify({ ...SETTINGS, trustPolicyPath: policy }));
    const { code, said } = await command(containerd, "enable", "--config", config);
    expect([code, said]).toEqual([1, expect.objectContaining({ changed: false })]);
    expect(said.findings.map(({ level, name }) => `${level} ${name}`)).toEqual(["problem sandbox-image"]);
    expect(readdirSync(containerd.binDir)).toEqual([]);
    expect((await doctor(containerd, "--config", config)).bad).toContain("problem sandbox-image");
    // The usual image is exempt here; this containerd starts pods with another.
    const other = join(folder, "other-sandbox.toml");
    const pinned = '[plugins."io.containerd.cri.v1.images".pinned_images]\nsandbox = "mirror.example/pause:3.10"';
    writeFileSync(other, `version = 3\n${pinned}\n`);
    expect((await doctor(containerd)).bad).not.toContain("problem sandbox-image");
    expect((await doctor(containerd, "--containerd-config", other)).bad).toContain("problem sandbox-image");
    // In the making of a node's image nothing is known of what it will run.
    const none = { ...containerd, socket: join(folder, "none.sock") };
    const early = await command(none, "enable", "--config", config, "--bin-dir", join(folder, "early"));
    expect(early.said).toMatchObject({ changed: true });
    expect(early.said.findings.map(({ level, name }) => `${level} ${name}`)).toContain("warning sandbox-image");
    await command(none, "disable", "--config", config, "--bin-dir", join(folder, "early"));
  });

  it("enable has monitoring see the node before its first decision, and says where that cannot be", async () => {
    const metricsFile = join(folder, "metrics/a.prom");
    const counting = join(folder, "counting.yaml");
    writeFileSync(counting, JSON.stringify({ ...SETTINGS, metricsFile }));
    const enable = () => command(containerd, "enable", "--config", counting);
    // containerd's environment names another configuration than the one named here.
    const named = { level: "warning", name: "configuration" };
    const metrics = { level: "warning", name: "metrics" };
    expect((await enable()).said).toMatchObject({ changed: true, findings: [named, metrics] });
    mkdirSync(join(folder, "metrics"));
    expect((await enable()).said).toMatchObject({ changed: false, findings: [named] });
    const text = readFileSync(metricsFile, "utf8");
    expect(text).toContain('atcr_verify_decisions_total{outcome="deny",code="signature.none"} 0\n');
    expect(text).not.toContain("last_decision");
    await command(containerd, "disable");
  });

  it("disable works while the configuration cannot be read, and takes out what leads here by another name", async () => {
    const broken = join(folder, "broken.yaml");
    writeFileSync(broken, "nonsense: 1\n");
    installVerifier(containerd.binDir, BINARY);
    installVerifier(containerd.binDir, BINARY, "00-verify");
    const { code, said } = await command(containerd, "disable", "--config", broken);
    expect([code, readdirSync(containerd.binDir)]).toEqual([0, []]);
    expect(said.findings.map(({ level, name }) => `${level} ${name}`)).toEqual(["warning configuration"]);
  });

  it("disable does not say that nobody is asked where it cannot see whom containerd asks", async () => {
    const broken = join(folder, "broken.toml");
    writeFileSync(broken, "version =");
    const { code, said, stdout } = await command(containerd, "disable", "--containerd-config", broken);
    expect([code, said]).toEqual([1, expect.objectContaining({ changed: false })]);
    expect(said.findings.map(({ level, name }) => `${level} ${name}`)).toEqual(["problem link"]);
    expect(stdout).not.toContain("does not run");
    expect((await command(containerd, "disable")).stdout).toContain("containerd does not run this program");
  });

  it("disable takes an empty bin_dir for no folder at all", async () => {
    const here = join(folder, "here");
    mkdirSync(here);
    symlinkSync("/usr/bin/atcr-verify", join(here, "atcr-verify"));
    const empty = join(folder, "empty.toml");
    writeFileSync(empty, 'version = 3\n[plugins."io.containerd.image-verifier.v1.bindir"]\nbin_dir = ""\n');
    const args = ["disable", "--address", containerd.socket, "--containerd-config", empty, "--output", "json"];
    const { stdout } = await ask(args, { env: { PATH: process.env["PATH"] ?? "" }, cwd: here });
    expect([JSON.parse(stdout), readdirSync(here)]).toEqual([
      expect.objectContaining({ changed: false }),
      ["atcr-verify"],
    ]);
  });

  it("a bin_dir that others can write to is found", async () => {
    installVerifier(containerd.binDir, BINARY);
    chmodSync(containerd.binDir, 0o777);
    expect((await doctor(containerd)).bad).toEqual(["problem bin-dir"]);
    chmodSync(containerd.binDir, 0o755);
    expect((await doctor(containerd)).bad).toEqual([]);
    uninstallVerifier(containerd.binDir);
  });

  it("a broken glass that containerd's environment names is found", async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, "");
    installVerifier(containerd.binDir, BINARY);
    writeFileSync(GLASS, `reason: x\nuntil: "${until}"\nscope: "**"\n`);
    expect((await doctor(containerd)).bad).toEqual(["problem break-glass"]);
    // Also where the configuration cannot be read, which it lets pulls through for.
    const broken = join(folder, "broken-under-glass.yaml");
    writeFileSync(broken, "nonsense: 1\n");
    expect((await doctor(containerd, "--config", broken)).bad).toEqual([
      "problem configuration",
      "problem break-glass",
    ]);
    rmSync(GLASS);
    uninstallVerifier(containerd.binDir);
  });

  it("a log that cannot be read is a finding, not the end", async () => {
    installVerifier(containerd.binDir, BINARY);
    const config = join(folder, "log-is-a-folder.yaml");
    mkdirSync(join(folder, "log"));
    writeFileSync(config, JSON.stringify({ ...SETTINGS, decisionLog: join(folder, "log") }));
    const { code, bad } = await doctor(containerd, "--probe", "--config", config);
    expect([code, [...new Set(bad)]]).toEqual([1, ["problem decision-log", "problem probe-log"]]);
    uninstallVerifier(containerd.binDir);
  });

  it("CRI is tried where nobody says whether it is there, and may not be", async () => {
    const { socket: address, root } = containerd;
    installVerifier(containerd.binDir, BINARY);
    const unknown = { address, version: "2.1.9", configPath: "", isListening: true, denied: [], unknown: [] };
    const { findings, cri } = await probe({ containerd: unknown, build: "another" });
    const [byTransfer, byCri] = findings;
    expect(byTransfer).toMatchObject({
      level: "problem",
      found: expect.stringMatching(/a pull by the transfer service .* refused by another build/),
    });
    expect(cri).toBe(root ? "not refused" : "not served");
    const expected = root
      ? { level: "problem", found: expect.stringMatching(/a pull by CRI .* refused by another build/) }
      : { level: "ok", found: expect.stringContaining("does not serve CRI") };
    expect(byCri).toMatchObject(expected);
    uninstallVerifier(containerd.binDir);
  });

  it("a mirror for all registries that answers in the probe's place hides nothing", async () => {
    if (!containerd.root) return expect(canBeRoot).toBe(false);
    const asked: string[] = [];
    const mirror = createServer(({ method, url }, response) => {
      asked.push(`${method} ${url?.includes("/atcr-verify-probe/")}`);
      const type = "application/vnd.oci.image.manifest.v1+json";
      response.writeHead(method === "HEAD" ? 200 : 404, {
        "content-type": type,
        ...(method === "HEAD" && { "content-length": "2" }),
        "docker-content-digest": `sha256:${"cd".repeat(32)}`,
      });
      response.end();
    });
    await new Promise<void>((done) => mirror.listen(0, "127.0.0.1", done));
    const { port } = mirror.address() as AddressInfo;
    installVerifier(containerd.binDir, BINARY);
    containerd.serve({ host: "_default", url: `http://127.0.0.1:${port}` });
    try {
      expect(await doctor(containerd, "--probe")).toMatchObject({ code: 0, bad: [] });
      expect(asked).toEqual(["HEAD true"]);
      uninstallVerifier(containerd.binDir);
      expect((await doctor(containerd, "--probe")).bad.filter((one) => one === "problem probe")).toHaveLength(2);
    } finally {
      rmSync(join(containerd.hosts, "_default"), { recursive: true });
      mirror.close();
    }
  });

  it("what blocks every pull is found, and enable adds nothing to it", async () => {
    writeFileSync(join(containerd.binDir, "README"), "");
    mkdirSync(join(containerd.binDir, "folder"));
    symlinkSync("/nowhere", join(containerd.binDir, "gone"));
    const { bad } = await doctor(containerd);
    expect(bad).toEqual(["problem link", "problem entries", "problem entries", "problem entries"]);
    expect(await command(containerd, "enable")).toMatchObject({ code: 1, said: { changed: false } });
    expect(readdirSync(containerd.binDir)).not.toContain("atcr-verify");
    for (const name of readdirSync(containerd.binDir)) rmSync(join(containerd.binDir, name), { recursive: true });
  });

  it.each([
    ["use_local_image_pull = true", ""],
    ["discard_unpacked_layers = true", ""],
    ["disable_snapshot_annotations = false", ""],
    ["max_concurrent_downloads = 4", ""],
    ["image_pull_with_sync_fs = true", ""],
    ["", '[plugins."io.containerd.cri.v1.images".registry.mirrors."a.example"]\nendpoint = ["https://b.example"]'],
    ["", '[plugins."io.containerd.cri.v1.images".registry.configs."a.example".tls]\ninsecure_skip_verify = true'],
    ["", '[plugins."io.containerd.cri.v1.images".registry.auths."https://a.example"]\nusername = "u"'],
  ])("one setting that bypasses verifiers is found, as containerd itself reads it: %s%s", async (setting, registry) => {
    if (!containerd.root) return expect(canBeRoot).toBe(false);
    const images = '[plugins."io.containerd.cri.v1.images"]';
    const file = join(folder, "bypass.toml");
    const verifier = `[plugins."io.containerd.image-verifier.v1.bindir"]\nbin_dir = "${containerd.binDir}"`;
    writeFileSync(file, `version = 3\n${images}\n${setting}\n${registry}\n${verifier}\n`);
    const { bad } = await doctor(containerd, "--containerd-config", file);
    expect(bad.filter((one) => !one.endsWith(" config"))).toEqual(["problem link", "problem cri"]);
    writeFileSync(file, `version = 3\n${images}\n${verifier}\n`);
    const without = await doctor(containerd, "--containerd-config", file);
    // It is not the one that containerd runs with.
    expect(without.bad.filter((one) => !one.endsWith(" config"))).toEqual(["problem link", "warning cri-unknown"]);
  });

  it("is found by a way that leads over a link, as /var/run does", async () => {
    const link = join(folder, "run");
    symlinkSync(containerd.directory, link);
    const { all } = await doctor({ ...containerd, socket: join(link, "c.sock") });
    expect(all.find(({ name }) => name === "containerd")?.found).toContain("process ");
  });

  it("a configuration that was changed since is found", async () => {
    const path = join(containerd.directory, "config.toml");
    const later = new Date(Date.now() + 60_000);
    utimesSync(path, later, later);
    const ofCri = containerd.root ? ["warning cri-unknown"] : [];
    expect((await doctor(containerd)).bad).toEqual(["warning config", "problem link", ...ofCri]);
    if (!containerd.root) return;
    // What was not known of CRI is known after a pull by it that was verified.
    installVerifier(containerd.binDir, BINARY);
    const { code, bad, all } = await doctor(containerd, "--probe");
    expect([code, bad]).toEqual([0, ["warning config"]]);
    expect(all.filter(({ name }) => name === "cri")).toMatchObject([{ level: "ok" }]);
    const enabled = await command(containerd, "enable");
    expect(enabled.said).toMatchObject({
      changed: false,
      summary: expect.stringContaining("whether containerd runs it at each pull is not known"),
    });
    uninstallVerifier(containerd.binDir);
  });
});

describe.runIf(canBeRoot)("each setting with which CRI asks nobody", () => {
  it.each<[string, Parameters<typeof startContainerd>[0]]>([
    [
      "three at once",
      { cri: { use_local_image_pull: true, discard_unpacked_layers: true, image_pull_with_sync_fs: true } },
    ],
    [
      "two at once, and mirrors",
      {
        cri: { disable_snapshot_annotations: false, max_concurrent_downloads: 5 },
        criRegistry:
          '[plugins."io.containerd.cri.v1.images".registry.mirrors."a.example"]\nendpoint = ["https://b.example"]',
      },
    ],
  ])("is found, and the probe by CRI is let through: %s", async (_, options) => {
    const containerd = await startContainerd({
      ...options,
      env: { ATCR_VERIFY_CONFIG: CONFIG, ...keyEnvironment(folder), LD_AUDIT: "" },
      perVerifierTimeout: "8s",
    });
    try {
      installVerifier(containerd.binDir, BINARY);
      const { bad, all } = await doctor(containerd, "--probe");
      expect(bad.filter((one) => one === "problem cri")).toHaveLength(3);
      expect(bad).toEqual(expect.arrayContaining(["problem environment", "problem timeout"]));
      const probes = all
        .filter(({ name }) => name === "probe")
        .map(({ level, found }) => [level, found.includes("CRI")]);
      expect(probes).toEqual([
        ["ok", false],
        ["problem", true],
      ]);
    } finally {
      await containerd.stop();
    }
  });
});

describe("where nothing answers", () => {
  it("says so, and what it can", async () => {
    const nowhere = { socket: join(folder, "none.sock") } as Containerd;
    const { code, bad } = await doctor(nowhere, "--probe");
    expect([code, bad[0]]).toEqual([1, "problem containerd"]);
  });

  it("enable places the link all the same, as the image of a node is made", async () => {
    const nowhere = { socket: join(folder, "none.sock") } as Containerd;
    const binDir = join(folder, "of-an-image");
    const { code, said } = await command(nowhere, "enable", "--config", CONFIG, "--bin-dir", binDir);
    expect([code, said, readdirSync(binDir)]).toEqual([0, expect.objectContaining({ changed: true }), ["atcr-verify"]]);
    expect(said.findings.map(({ level, name }) => `${level} ${name}`)).toContain("warning containerd");
  });
});
