import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DebianRoot } from "../../packaging/release/debian-root.ts";
import { packageVersion } from "../../packaging/release/version.ts";
import { canTryPackages, systemRoot } from "../support/packages.ts";
import { run } from "../support/process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const testable = canTryPackages("versions of packages");
/** As npm sorts them. */
const SORTED = ["0.1.9", "0.2.0-alpha.2", "0.2.0-beta.1", "0.2.0-rc.2", "0.2.0-rc.10", "0.2.0", "0.2.1-rc.1", "0.10.0"];

describe.runIf(testable)("for dpkg and rpm", () => {
  // Nothing is installed, so it need not be a copy.
  let debian: DebianRoot;
  beforeAll(() => {
    debian = new DebianRoot(systemRoot("checkers"));
  });
  afterAll(() => debian.remove());

  it("the versions sort as for npm", () => {
    const pairs = SORTED.slice(1).map((later, i) => [packageVersion(SORTED[i] ?? ""), packageVersion(later)] as const);
    const script = pairs.map(
      ([a, b]) =>
        `dpkg --compare-versions ${a} lt ${b} && echo $(rpm --eval '%{lua: print(rpm.vercmp("${a}", "${b}"))}')`,
    );
    expect(debian.run(["sh", "-ec", script.join("\n")]).toString()).toBe("-1\n".repeat(pairs.length));
  });

  it("packages of a candidate are made", async () => {
    const folder = mkdtempSync(join(tmpdir(), "atcr-candidate-"));
    try {
      for (const name of ["packaging", "docs", "config-examples", "integrations", "Makefile", "LICENSE"])
        cpSync(join(ROOT, name), join(folder, name), { recursive: true });
      for (const name of ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
        copyFileSync(join(ROOT, name), join(folder, name));
      const manifest = readFileSync(join(ROOT, "package.json"), "utf8");
      writeFileSync(join(folder, "package.json"), manifest.replace(/"version": "[^"]*"/, '"version": "0.2.0-rc.1"'));
      symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
      // Small files in place of what takes long to make: what counts here is the version.
      execFileSync("sh", [
        "-c",
        'mkdir -p "$1/dist" "$1/build" && cp -L /bin/true "$1/dist/atcr-verify"',
        "sh",
        folder,
      ]);
      for (const name of [
        "trust-policy.schema.json",
        "verify-result.schema.json",
        "THIRD-PARTY-NOTICES.txt",
        "atcr-verify.cdx.json",
      ])
        copyFileSync(join(ROOT, "dist", name), join(folder, "dist", name));
      symlinkSync(join(ROOT, "build/roots"), join(folder, "build/roots"));
      symlinkSync(join(ROOT, "build/debian"), join(folder, "build/debian"));
      const env = { ...process.env, SOURCE_DATE_EPOCH: "1767225600", MAKEFLAGS: "", MAKELEVEL: "" };
      for (const [script, arch] of [
        ["build-deb.sh", "amd64"],
        ["build-rpm.sh", "x86_64"],
      ] as const) {
        const built = await run(`packaging/${script}`, [arch, "dist/atcr-verify"], {
          cwd: folder,
          env,
          timeout: 100_000,
        });
        expect([built.code, built.code === 0 ? "" : built.stderr]).toEqual([0, ""]);
      }
      const [deb, rpm] = ["atcr-verify_0.2.0~rc.1_amd64.deb", "atcr-verify-0.2.0~rc.1-1.x86_64.rpm"];
      for (const name of [deb, rpm]) copyFileSync(join(folder, "dist", name), join(debian.folder, name));
      const query = ["rpm", "-qp", "--queryformat", "%{VERSION}-%{RELEASE}", rpm];
      expect(debian.run(["dpkg-deb", "-f", deb, "Version"]).toString()).toBe("0.2.0~rc.1\n");
      expect(debian.run(query).toString()).toBe("0.2.0~rc.1-1");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
