import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { canTryPackages, PACKAGE_VERSION, packageFile } from "../support/packages.ts";
import { run } from "../support/process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const testable = canTryPackages("the same sources make the same packages");
const NAMES = [
  `atcr-verify_${PACKAGE_VERSION}_amd64.deb`,
  `atcr-verify_${PACKAGE_VERSION}_arm64.deb`,
  `atcr-verify-${PACKAGE_VERSION}-1.x86_64.rpm`,
  `atcr-verify-${PACKAGE_VERSION}-1.aarch64.rpm`,
];
const hash = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

describe.runIf(testable)("the packages", () => {
  it.each(NAMES.filter((name) => name.endsWith(".deb")))(
    "tell a size that no file system changes: %s",
    async (name) => {
      const [size, list] = await Promise.all([
        run("dpkg-deb", ["-f", packageFile(name), "Installed-Size"]),
        run("dpkg-deb", ["-c", packageFile(name)]),
      ]);
      const kib = list.stdout
        .trim()
        .split("\n")
        .map((line) => (line.startsWith("-") ? Math.ceil(Number(line.split(/\s+/)[2]) / 1024) : 1));
      expect(Number(size.stdout)).toBe(kib.reduce((sum, one) => sum + one));
    },
  );

  it("are the same bytes when they are built again, elsewhere, by somebody with other habits", {
    timeout: 600_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "atcr-built-elsewhere-"));
    try {
      const options = { cwd: ROOT, encoding: "utf8" } as const;
      const files = execFileSync(
        "git",
        ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        options,
      ).split("\0");
      for (const file of files.filter((name) => name !== "")) {
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        cpSync(join(ROOT, file), join(folder, file));
      }
      // Hard links: a folder of its own with nothing of it copied. The tools are the machine's, as npm and Debian made them.
      execFileSync("cp", ["-al", join(ROOT, "node_modules"), join(folder, "node_modules")]);
      mkdirSync(join(folder, "build"));
      for (const name of ["debian", "roots", "bun"])
        symlinkSync(join(ROOT, "build", name), join(folder, "build", name));
      const SOURCE_DATE_EPOCH = execFileSync("git", ["log", "-1", "--format=%ct"], options).trim();
      const env = {
        ...process.env,
        SOURCE_DATE_EPOCH,
        TZ: "Asia/Tokyo",
        LANG: "C",
        HOME: folder,
        MAKEFLAGS: "",
        MAKELEVEL: "",
      };
      const { code, stderr } = await run("sh", ["-c", "umask 077 && exec make deb rpm"], {
        cwd: folder,
        env,
        timeout: 500_000,
      });
      expect([code, code === 0 ? "" : stderr.slice(-2000)]).toEqual([0, ""]);
      for (const name of NAMES)
        expect([name, hash(join(folder, "dist", name))]).toEqual([name, hash(packageFile(name))]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
