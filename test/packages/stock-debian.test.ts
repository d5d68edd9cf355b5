import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CleanSystem, systemRoot } from "../support/packages.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const ROOT = join(import.meta.dirname, "../..");
const root = systemRoot("developer");
const testable = requirement(
  "make on a stock Debian 12",
  missingRoot("it is run in a root of its own"),
  existsSync(root) ? undefined : `run make developer-root: ${root} is missing`,
);
/** Some 300 packages are fetched, and the machine may be busy. */
const LONG = 600_000;
const SOURCES = "/src/atcr-verify";

/**
 * What `npm config get` says on this machine; undefined where it says nothing. Asked of the machine's own npm under its
 * own Node: under the pinned one npm does not read the machine's global npmrc.
 */
function npmConfig(key: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
  const env = { ...process.env, PATH: folders.join(":") };
  const value = execFileSync("npm", ["config", "get", key], { cwd: "/", encoding: "utf8", env }).trim();
  return ["", "null", "undefined"].includes(value) ? undefined : value;
}

// Debian 12 brings Node 18 and npm 9, which does not link the programs of optional packages and leaves out those that
// ask for a newer Node than it runs under itself.
describe.runIf(testable)("on a stock Debian 12, as a stranger has it", { timeout: LONG }, () => {
  let system: CleanSystem;
  const env: Record<string, string> = { HOME: "/tmp", SHLVL: "1" };

  beforeAll(() => {
    system = new CleanSystem("developer");
    // The working tree as it is, without what was built or installed in it.
    mkdirSync(system.path(SOURCES), { recursive: true });
    const list = "git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null";
    execFileSync("sh", ["-c", `${list} | tar -c -T - | tar -x -C "$1"`, "sh", system.path(SOURCES)], { cwd: ROOT });
    // npm's registry and Debian's mirror are reached as this machine reaches them.
    for (const key of ["registry", "proxy", "https-proxy", "noproxy"]) {
      const value = npmConfig(key);
      if (value !== undefined) env[`npm_config_${key.replace("-", "_")}`] = value;
    }
    const authorities = npmConfig("cafile") ?? process.env["NODE_EXTRA_CA_CERTS"];
    if (authorities !== undefined) {
      copyFileSync(authorities, system.path("/tmp/npm-ca.pem"));
      env["npm_config_cafile"] = "/tmp/npm-ca.pem";
    }
    copyFileSync("/etc/resolv.conf", system.path("/etc/resolv.conf"));
    const apt = execFileSync("apt-config", ["dump"], { encoding: "utf8" });
    const acquire = apt.split("\n").filter((line) => line.startsWith("Acquire::"));
    writeFileSync(system.path("/etc/apt/apt.conf.d/99this-machine"), `${acquire.join("\n")}\n`);
  }, LONG);
  afterAll(() => system?.remove(), LONG);

  async function make(...args: readonly string[]): Promise<readonly [number | null, string]> {
    const { code, stdout, stderr } = await system.runFor(LONG, env, "make", "-C", SOURCES, ...args);
    return [code, `${stdout}${stderr}`];
  }

  it("has the Node and npm that are tried", async () => {
    expect(await system.must("node", "--version")).toMatch(/^v18\./);
    expect(await system.must("npm", "--version")).toMatch(/^9\./);
  });

  // Stand-ins say the versions: Debian 11 has Node 12 and npm 7.
  it.each([
    ["an older Node", { node: "v12.22.12" }, /^node v12\.22\.12 is on this machine, and node 18 or later is needed/m],
    ["an older npm", { npm: "7.5.2" }, /^npm 7\.5\.2 is on this machine, and npm 9 or later is needed/m],
    ["a Node that does not run", { node: "" }, /^node that does not run is on this machine/m],
    ["no npm", { npm: undefined }, /^npm is missing on this machine/m],
    ["no Node", { node: undefined }, /^node is missing on this machine/m],
  ] as const)("make fails at once with %s, and says what to type", async (_, versions, line) => {
    const stood = Object.entries(versions).map(([name, version]) => ({
      path: system.path(`/usr/bin/${name}`),
      version,
    }));
    for (const { path, version } of stood) {
      renameSync(path, `${path}.real`);
      const script = version === "" ? "exit 1" : `echo ${version}`;
      if (version !== undefined) writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    try {
      for (const target of ["demo", "test"]) {
        const started = performance.now();
        const [code, output] = await make(target);
        // A second on a quiet machine, of which most goes by in npm --version.
        expect(performance.now() - started).toBeLessThan(5_000);
        expect(code).not.toBe(0);
        const said = output.split("\n").filter((text) => text !== "" && !/^make(?:\[\d+\])?:/.test(text));
        expect(said).toEqual([expect.stringMatching(line)]);
        expect(said[0]).toContain("apt install nodejs npm");
      }
    } finally {
      for (const { path } of stood) {
        rmSync(path, { force: true });
        renameSync(`${path}.real`, path);
      }
    }
  });

  it("make demo installs what it needs, and shows pulls by a real containerd", async () => {
    const [code, output] = await make("demo");
    expect(output).toContain("Everything happened as described.");
    expect(code).toBe(0);
    expect(await system.must(`${SOURCES}/node_modules/.bin/node`, "--version")).toMatch(/^v24\./);
  });

  it("make test runs suites", async () => {
    const [code, output] = await make("test", "SUITES=vectors");
    expect(output).toMatch(/^vectors: [1-9][0-9]* passed, 0 failed, 0 skipped/m);
    expect(code).toBe(0);
  });

  it("make check checks", async () => {
    const [code, output] = await make("check-lint", "check-types");
    expect(code, output).toBe(0);
  });
});
