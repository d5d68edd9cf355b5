import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { packageVersion } from "../../packaging/release/version.ts";
import { type Finished, makeTemporaryDirectory, run } from "./process.ts";
import { missingRoot, requirement } from "./requirement.ts";

const ROOT = resolve(import.meta.dirname, "../..");
export const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

/** As deb and rpm write it. */
export const PACKAGE_VERSION = packageVersion(VERSION);

export const packageFile = (name: string): string => join(ROOT, "dist", name);
export const DEB = packageFile(`atcr-verify_${PACKAGE_VERSION}_amd64.deb`);
export const RPM = packageFile(`atcr-verify-${PACKAGE_VERSION}-1.x86_64.rpm`);
/** A Debian that `make NAME-root` makes. */
export type SystemName = "checkers" | "clean" | "developer" | "podman";
export const systemRoot = (name: SystemName): string => join(ROOT, "build/roots", name);

/** Whether packages can be tested: they and the roots exist, and this is root. */
export function canTryPackages(suite: string): boolean {
  const missing = [DEB, RPM, systemRoot("checkers"), systemRoot("clean")].filter((path) => !existsSync(path));
  const advice =
    missing.length === 0 ? undefined : `run make deb rpm checkers-root clean-root: ${missing.join(", ")} missing`;
  return requirement(suite, missingRoot("packages are installed in a root of their own"), advice);
}

/** A fresh Debian of its own. */
export class CleanSystem {
  readonly root: string;

  constructor(from: SystemName = "clean") {
    this.root = makeTemporaryDirectory("package-root");
    // With owners, modes and devices, which Node's own copy leaves out.
    execFileSync("cp", ["-aT", systemRoot(from), this.root]);
  }

  path(inside: string): string {
    return join(this.root, inside);
  }

  /** Puts a file into /tmp. @returns its path inside */
  bring(file: string): string {
    const inside = `/tmp/${basename(file)}`;
    cpSync(file, this.path(inside));
    return inside;
  }

  /** How to run a command inside, with /proc, /dev and /sys, as an administrator without a terminal would. */
  inside(command: string, ...args: readonly string[]) {
    // Mounted on itself: programs that look for the file system of / find one.
    const script =
      'mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount --rbind /sys "$1/sys" && shift && exec chroot "$@"';
    return {
      command: "unshare",
      args: ["--mount", "--propagation", "private", "sh", "-c", script, "sh", this.root, this.root, command, ...args],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    };
  }

  run(command: string, ...args: readonly string[]): Promise<Finished> {
    return this.runFor(60_000, {}, command, ...args);
  }

  /**
   * As {@link run}, with more time or another environment.
   *
   * @param timeout milliseconds until it is killed
   */
  runFor(timeout: number, env: Readonly<Record<string, string>>, command: string, ...args: readonly string[]) {
    const inside = this.inside(command, ...args);
    return run(inside.command, inside.args, { env: { ...inside.env, ...env }, timeout });
  }

  /** As {@link run}, but throws unless it succeeds. */
  async must(command: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, ...args);
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A package of a later version with a different policy. */
export async function laterDeb(folder: string, later: string, isPolicyChanged: boolean): Promise<string> {
  const tree = join(folder, `tree-${later}`);
  const deb = join(folder, `atcr-verify_${later}_amd64.deb`);
  const script = [
    `dpkg-deb -R "$1" "$2" && sed -i "s/^Version:.*/Version: $4/" "$2/DEBIAN/control"`,
    ...(isPolicyChanged ? [`echo "# of $4" >> "$2/etc/atcr-verify/trust-policy.yaml"`] : []),
    `dpkg-deb --root-owner-group -Zgzip -z1 -b "$2" "$3" >/dev/null`,
  ].join(" && ");
  const { code, stderr } = await run("sh", ["-c", script, "sh", DEB, tree, deb, later]);
  if (code !== 0) throw new Error(stderr);
  rmSync(tree, { recursive: true });
  return deb;
}

/** The same files as a package of a later version, made and left in a system that has rpmbuild. @returns its path inside */
export async function laterRpm(system: CleanSystem, later: string): Promise<string> {
  const spec = system.bring(join(ROOT, "packaging/rpm/atcr-verify.spec"));
  const script = [
    `mkdir -p /tmp/later/stage && cd /tmp/later/stage && rpm2cpio "$1" | cpio -id --quiet`,
    `rpmbuild --quiet -bb --target x86_64-linux --define "_topdir /tmp/later/top" --define "_dbpath /tmp/later/db" \
      --define "stage /tmp/later/stage" --define "version_ $3" --define "changed Thu Jan 01 2026" "$2"`,
  ].join(" && ");
  await system.must("sh", "-c", script, "sh", system.bring(RPM), spec, later);
  return `/tmp/later/top/RPMS/x86_64/atcr-verify-${later}-1.x86_64.rpm`;
}

/** All files below a folder, with their paths in it. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted();
}
