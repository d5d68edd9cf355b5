/**
 * Writes packages.lock.json anew, with the newest versions that Debian has: `node packaging/image/renew-packages.ts`.
 *
 * apt reads the suites below from this machine's mirror and verifies them with Debian's own keyring; its lists are kept
 * apart from the machine's. Run it when a version has a security update, or when the mirror no longer has a locked one.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ARCHITECTURES, LOCK_FILE, type Lock, type LockedPackage, mirrorBase } from "./debian-packages.ts";

const RELEASE = "trixie";
const SUITES = [
  ["debian", RELEASE],
  ["debian", `${RELEASE}-updates`],
  ["debian-security", `${RELEASE}-security`],
] as const;
/** What root-files.ts takes files from; gcc-14-base has the copyright of the two before it. */
const NAMES = ["libc6", "ca-certificates", "busybox-static", "libstdc++6", "libgcc-s1", "gcc-14-base"];
/** Of these there is one package for all architectures. */
const FOR_ALL: ReadonlySet<string> = new Set(["ca-certificates"]);

const keyring = ["gpg", "pgp"]
  .map((ending) => `/usr/share/keyrings/debian-archive-keyring.${ending}`)
  .find((path) => existsSync(path));
if (keyring === undefined) throw new Error("no keyring to verify packages with; install debian-archive-keyring");

const base = mirrorBase();
const work = mkdtempSync(join(tmpdir(), "atcr-image-packages-"));
try {
  // apt's own unprivileged user downloads.
  execFileSync("chmod", ["755", work]);
  mkdirSync(join(work, "lists/partial"), { recursive: true });
  mkdirSync(join(work, "cache/archives/partial"), { recursive: true });
  writeFileSync(
    join(work, "sources.list"),
    SUITES.map(
      ([archive, suite]) => `deb [arch=amd64,arm64 signed-by=${keyring}] ${base}/${archive} ${suite} main\n`,
    ).join(""),
  );
  writeFileSync(join(work, "status"), "");
  const apt = (program: string, ...args: string[]): string =>
    execFileSync(
      program,
      [
        ...[
          `Dir::Etc::SourceList=${work}/sources.list`,
          "Dir::Etc::SourceParts=/dev/null",
          `Dir::State::Lists=${work}/lists`,
          `Dir::State::status=${work}/status`,
          `Dir::Cache=${work}/cache`,
          "Acquire::Languages=none",
          "APT::Update::Error-Mode=any",
          "APT::Architectures::=amd64",
          "APT::Architectures::=arm64",
        ].flatMap((option) => ["-o", option]),
        ...args,
      ],
      { encoding: "utf8", maxBuffer: 2 ** 26 },
    );
  apt("apt-get", "-qq", "update");
  const packages = ARCHITECTURES.flatMap((architecture) => NAMES.map((name) => locked(apt, name, architecture)));
  const lock: Lock = { release: RELEASE, snapshot: newestDate(join(work, "lists")), packages };
  writeFileSync(LOCK_FILE, `${JSON.stringify(lock, null, 2)}\n`);
  for (const { name, architecture, version } of packages) console.log(`${name} ${version} (${architecture})`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function locked(
  apt: (program: string, ...args: string[]) => string,
  name: string,
  architecture: LockedPackage["architecture"],
): LockedPackage {
  const wanted = FOR_ALL.has(name) ? name : `${name}:${architecture}`;
  // 'URI' FILE SIZE SHA256:HEX
  const line = apt("apt-get", "-qq", "--print-uris", "download", wanted).trim();
  const [, uri = "", size = "", sha256 = ""] = /^'([^']+)' \S+ (\d+) SHA256:([0-9a-f]{64})$/.exec(line) ?? [];
  if (!uri.startsWith(`${base}/`)) throw new Error(`apt says of ${name}: ${line}`);
  const path = decodeURIComponent(uri.slice(base.length + 1));
  const version = /^Version: (.+)$/m.exec(apt("apt-cache", "show", "--no-all-versions", wanted))?.[1] ?? "";
  return { name, architecture, version, path, size: Number(size), sha256 };
}

/** Of the suites that were read, as snapshot.debian.org names a time: 20261128T025301Z. */
function newestDate(lists: string): string {
  const dates = readdirSync(lists)
    .filter((file) => file.endsWith("_InRelease"))
    .map((file) => Date.parse(/^Date: (.+)$/m.exec(readFileSync(join(lists, file), "utf8"))?.[1] ?? ""));
  return new Date(Math.max(...dates)).toISOString().replace(/[-:]|\.\d+/g, "");
}
