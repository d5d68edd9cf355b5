import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
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
