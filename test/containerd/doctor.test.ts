import { mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, BINARY } from "../support/binary.ts";
import { type Containerd, installVerifier, startContainerd, uninstallVerifier } from "../support/containerd.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
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
writeFileSync(
  CONFIG,
  JSON.stringify({
    trustPolicyPath: join(folder, "policy.yaml"),
    stateDir: join(folder, "state"),
    cacheDir: join(folder, "cache"),
    decisionLog: join(folder, "decisions.log"),
  }),
);

async function command(containerd: Containerd, ...args: readonly string[]) {
  const answer = await ask([...args, "--address", containerd.socket, "--output", "json"], {
    env: { PATH: process.env["PATH"] ?? "" },
  });
  const said = JSON.parse(answer.stdout) as { readonly findings: readonly Finding[] };
  return { ...answer, said };
}

/** What the doctor finds, other than ok; services of the policy are not there and are left out. */
async function doctor(containerd: Containerd, ...args: readonly string[]) {
  const { code, said } = await command(containerd, "doctor", "--offline", ...args);
  const bad = said.findings.filter(
    ({ level, name }) => level !== "ok" && name !== "clock" && !(name === "probe" && level === "warning"),
  );
  return { code, bad: bad.map(({ level, name }) => `${level} ${name}`), all: said.findings };
}

describe("on a containerd as it should be", () => {
  let containerd: Containerd;
  beforeAll(async () => {
    containerd = await startContainerd({ env: { ATCR_VERIFY_CONFIG: CONFIG } });
  });
  afterAll(() => containerd.stop());

  it("enable places the link, the probe proves it, disable takes it out", async () => {
    const enabled = await command(containerd, "enable");
    expect([enabled.code, readdirSync(containerd.binDir)]).toEqual([0, ["atcr-verify"]]);
    expect(enabled.said).toMatchObject({ changed: true, binDir: containerd.binDir, program: BINARY });
    expect((await command(containerd, "enable")).said).toMatchObject({ changed: false });

    const { code, bad, all } = await doctor(containerd, "--probe");
    expect([code, bad]).toEqual([0, []]);
    const ways = containerd.root ? 2 : 1;
    expect(all.filter(({ name }) => name === "probe").length).toBe(ways);
    expect(all.filter(({ name }) => name === "probe-log").length).toBe(ways);
    expect([await containerd.images(), await containerd.images("k8s.io")]).toEqual([[], []]);

    expect((await command(containerd, "disable")).said).toMatchObject({ changed: true });
    expect(readdirSync(containerd.binDir)).toEqual([]);
    expect((await command(containerd, "disable")).said).toMatchObject({ changed: false });
  });

  it("the probe finds that the verifier is unlinked", async () => {
    const { code, bad } = await doctor(containerd, "--probe");
    const ways = containerd.root ? 2 : 1;
    expect([code, bad]).toEqual([1, ["problem link", ...Array<string>(ways).fill("problem probe")]]);
    expect([await containerd.images(), await containerd.images("k8s.io")]).toEqual([[], []]);
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
    expect(without.bad.filter((one) => !one.endsWith(" config"))).toEqual(["problem link"]);
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
    expect((await doctor(containerd)).bad).toEqual(["warning config", "problem link"]);
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
      env: { ATCR_VERIFY_CONFIG: CONFIG, BUN_OPTIONS: "" },
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
});
