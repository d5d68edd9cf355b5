/**
 * Completes a lockfile: `node packaging/complete-lockfile.ts [FILE]`, after `npm install` changed it.
 *
 * `npm ci` refuses a lockfile that lacks an optional package of any platform, and `npm install` leaves
 * out those that the registry did not serve when it ran. What is missing is entered with its version
 * and platform, which its name tells, and without a hash: a package for Linux with glibc on x64 or
 * arm64, which might be installed, is never entered so (packaging/check-repository.ts insists).
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  version: string;
  integrity?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const file = process.argv[2] ?? "package-lock.json";
const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, Entry> };

const PLATFORM =
  /[/-](aix|android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(\w+))?$/;

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] !== undefined) continue;
    if (lock.packages[`${path}/node_modules/${name}`] !== undefined) continue;
    const [, os, cpu, abi] = PLATFORM.exec(name) ?? [];
    if (os === undefined || cpu === undefined) throw new Error(`${name} tells no platform`);
    const musl = abi?.startsWith("musl") === true;
    if (os === "linux" && ["x64", "arm64"].includes(cpu) && !musl) throw new Error(`${name} is one we install`);
    if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${name} is not pinned: ${version}`);
    const libc = os === "linux" ? { libc: [musl ? "musl" : "glibc"] } : {};
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(entry.dev === true ? { dev: true } : {}),
      ...libc,
      optional: true,
      os: [os],
    };
    console.log(`${name} ${version}`);
  }
}

const { "": root, ...rest } = lock.packages;
const sorted = Object.entries(rest).sort(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = { ...(root === undefined ? {} : { "": root }), ...Object.fromEntries(sorted) };
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
