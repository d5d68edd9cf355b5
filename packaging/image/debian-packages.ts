/** The packages of Debian that the image is made of, by the versions and hashes of packages.lock.json. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { readTar, type TarEntry } from "./tar.ts";

const ROOT = join(import.meta.dirname, "../..");
export const LOCK_FILE = join(import.meta.dirname, "packages.lock.json");
const APT_HELPER = "/usr/lib/apt/apt-helper";

/** As Debian and the OCI both name them. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export interface LockedPackage {
  readonly name: string;
  /** Of the image that it is for. */
  readonly architecture: Architecture;
  readonly version: string;
  /** Below what holds the archives: `debian/pool/main/g/glibc/….deb` */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Lock {
  /** Debian's code name. */
  readonly release: string;
  /** When these versions were current, as snapshot.debian.org names a time. */
  readonly snapshot: string;
  readonly packages: readonly LockedPackage[];
}

/** A package that was fetched and whose hash is right. */
export interface DebianPackage extends LockedPackage {
  /** Its fields, as dpkg-deb prints them. */
  readonly control: string;
  readonly files: ReadonlyMap<string, TarEntry>;
}

export function readLock(): Lock {
  return JSON.parse(readFileSync(LOCK_FILE, "utf8")) as Lock;
}

/** What is before `/debian` in the address of this machine's mirror. */
export function mirrorBase(): string {
  const mirror = process.env["DEBIAN_MIRROR"] ?? mirrorOfMachine();
  const base = /^(.+)\/debian\/?$/.exec(mirror)?.[1];
  if (base === undefined)
    throw new Error(`the mirror of Debian is ${mirror}, and its address should end with /debian: set DEBIAN_MIRROR`);
  return base;
}

function mirrorOfMachine(): string {
  const script = join(ROOT, "packaging/fetch-debian-tools.sh");
  const { status, stdout, stderr } = spawnSync(script, ["--mirror"], { encoding: "utf8" });
  if (status !== 0)
    throw new Error(`${stderr.trim()}; set DEBIAN_MIRROR to the address of one, which ends with /debian`);
  return stdout.trim();
}

/**
 * Fetches a package unless it is in `folder`, and takes it apart.
 *
 * @throws Error where the mirror no longer has it, or where its hash is wrong
 */
export function openPackage(locked: LockedPackage, lock: Lock, folder: string): DebianPackage {
  const file = join(folder, basename(locked.path));
  if (!existsSync(file)) fetchPackage(locked, lock, file);
  const found = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (found !== locked.sha256)
    throw new Error(`${file} has the SHA-256 ${found}, and packages.lock.json says ${locked.sha256}: remove the file`);
  const dpkgDeb = (...args: string[]): Buffer => execFileSync("dpkg-deb", args, { maxBuffer: 2 ** 28 });
  const entries = readTar(dpkgDeb("--fsys-tarfile", file));
  return {
    ...locked,
    control: dpkgDeb("--field", file).toString(),
    files: new Map(entries.map((entry) => [entry.path, entry])),
  };
}

function fetchPackage({ name, version, path, sha256 }: LockedPackage, { snapshot }: Lock, file: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  const work = mkdtempSync(`${file}.`);
  try {
    // apt's client and proxy settings; apt-helper compares the hash as well.
    const address = `${mirrorBase()}/${path.replaceAll("+", "%2b")}`;
    execFileSync(
      APT_HELPER,
      [
        "-qq",
        "-o",
        "APT::Sandbox::User=root",
        "-o",
        "Acquire::Retries=1",
        "download-file",
        address,
        join(work, "deb"),
        `SHA256:${sha256}`,
      ],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    renameSync(join(work, "deb"), file);
  } catch (error) {
    const [archive = "", ...rest] = path.split("/");
    throw new Error(
      `${name} ${version} could not be fetched. If the mirror no longer has this version, take it from
  https://snapshot.debian.org/archive/${archive}/${snapshot}/${rest.join("/")}
and put it at ${file}; its hash is compared.
Or lock the versions that Debian has now: node packaging/image/renew-packages.ts`,
      { cause: error },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
