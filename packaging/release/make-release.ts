/**
 * Puts a release together from what is in dist: `node packaging/release/make-release.ts [FOLDER]`, dist/release if not named.
 * The same programs, SOURCE_DATE_EPOCH and key give the same bytes. Run as root, for Debian's tools in build/roots/checkers.
 *
 * RELEASE_KEY: path of the OpenPGP secret key that signs; without it nothing is signed, and this says so.
 * RELEASE_KEY_PASSPHRASE: path of a file with its passphrase, if it has one.
 * RELEASE_URL: where the folder will be served; a placeholder if not set.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { writeAptFolder } from "./apt-folder.ts";
import { packArchive, SCHEMAS } from "./archive.ts";
import { DebianRoot } from "./debian-root.ts";
import { writeDnfFolder } from "./dnf-folder.ts";
import { fillTemplate } from "./fill-template.ts";
import { endAgent, Signer } from "./signer.ts";
import { packageVersion, suiteOfVersion, versionOfSources } from "./version.ts";

const ROOT = join(import.meta.dirname, "../..");
const target = resolve(process.argv[2] ?? join(ROOT, "dist/release"));
const url = (process.env["RELEASE_URL"] || "https://packages.example.com/atcr-verify").replace(/\/+$/, "");
if (!/^https?:\/\/[\w.:[\]-]+(?:\/[\w.~-]+)*$/.test(url))
  throw new Error(`RELEASE_URL is ${url}; expected http(s)://HOST/PATH`);
const epoch = Number(process.env["SOURCE_DATE_EPOCH"] || Number.NaN);
if (!Number.isSafeInteger(epoch))
  throw new Error("SOURCE_DATE_EPOCH is not set: the time of all files, seconds since 1970");
const version = versionOfSources(ROOT);
const packaged = packageVersion(version);
const suite = suiteOfVersion(version);
const keyFile = process.env["RELEASE_KEY"] || undefined;

const DEBS = ["amd64", "arm64"].map((cpu) => `atcr-verify_${packaged}_${cpu}.deb`);
const RPMS = ["x86_64", "aarch64"].map((cpu) => `atcr-verify-${packaged}-1.${cpu}.rpm`);
const MACOS = ["arm64", "x64"].map((cpu) => `atcr-verify-${version}-macos-${cpu}.tar.gz`);
const SBOMS = {
  "linux-amd64": "atcr-verify.cdx.json",
  "linux-arm64": "arm64/atcr-verify.cdx.json",
  "macos-arm64": "macos/arm64/atcr-verify.cdx.json",
  "macos-x64": "macos/x64/atcr-verify.cdx.json",
} as const;
const dist = (name: string): string => join(ROOT, "dist", name);
for (const name of [...DEBS, ...RPMS, ...MACOS, "atcr-verify-image.tar"]) {
  if (!existsSync(dist(name))) throw new Error(`dist/${name} is missing: run make release, which makes it first`);
}

const debian = new DebianRoot(join(ROOT, "build/roots/checkers"));
const cleanUp = (): void => {
  endAgent(debian);
  debian.remove();
};
// The imported key must not outlast this program.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    cleanUp();
    process.exit(1);
  });
}
let signer: Signer | undefined;
try {
  if (keyFile !== undefined)
    signer = new Signer(debian, keyFile, process.env["RELEASE_KEY_PASSPHRASE"] || undefined, epoch);
  const folder = join(debian.folder, "release");
  mkdirSync(folder);
  await assemble(folder);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(dirname(target), { recursive: true });
  // By mv, since the folder may be on another disk; it keeps hard links, by which each package is there twice.
  execFileSync("mv", [folder, target]);
  console.log(`${relative(process.cwd(), target) || "."}: ${filesBelow(target).length} files of ${version}`);
  for (const note of notes()) console.log(`note: ${note}`);
} catch (error) {
  console.error(`no release was made: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  cleanUp();
}

async function assemble(folder: string): Promise<void> {
  const at = (name: string): string => join(folder, name);
  for (const name of [...DEBS, ...RPMS, ...MACOS, ...SCHEMAS]) copyFileSync(dist(name), at(name));
  copyFileSync(dist("atcr-verify-image.tar"), at(`atcr-verify-${version}-image.tar`));
  for (const [platform, path] of Object.entries(SBOMS))
    copyFileSync(dist(path), at(`atcr-verify-${version}-${platform}.cdx.json`));
  for (const [cpu, below] of [
    ["amd64", ""],
    ["arm64", "arm64/"],
  ] as const) {
    const name = `atcr-verify-${version}-linux-${cpu}`;
    const program = readFileSync(dist(`${below}atcr-verify`));
    const of = { name, program, sbom: dist(`${below}atcr-verify.cdx.json`), more: ["etc", "system"], epoch };
    writeFileSync(at(`${name}.tar.gz`), await packArchive(ROOT, of));
  }
  const signing = { epoch, debian, signer };
  signer?.signRpms(RPMS.map((name) => `${debian.inside}/release/${name}`));
  await writeAptFolder(at("apt"), DEBS.map(at), { suite, ...signing });
  writeDnfFolder(at(`dnf/${suite}`), RPMS.map(at), signing);
  const values = { URL: url, VERSION: version, SUITE: suite, ...valuesOfArchives(folder) };
  for (const [file, to] of [
    ["atcr-verify.sources", "apt"],
    ["atcr-verify.repo", "dnf"],
    ["atcr-verify.rb", "."],
    ["atcr-verify.nix", "."],
  ] as const)
    writeFileSync(at(`${to}/${file}`), fillTemplate(file, values));
  if (signer !== undefined) writeFileSync(at("atcr-verify-keyring.asc"), signer.publicKey);
  const sums = filesBelow(folder).map((path) => `${sha256(at(path)).toString("hex")}  ${path}\n`);
  writeFileSync(at("SHA256SUMS"), sums.join(""));
  if (signer !== undefined) writeFileSync(at("SHA256SUMS.asc"), signer.detached(readFileSync(at("SHA256SUMS"))));
}

/** Name and hashes of each archive, for the templates. */
function valuesOfArchives(folder: string): Readonly<Record<string, string>> {
  const platforms = Object.keys(SBOMS);
  const values = platforms.flatMap((platform) => {
    const name = `atcr-verify-${version}-${platform}.tar.gz`;
    const hash = sha256(join(folder, name));
    const key = platform.toUpperCase().replace("-", "_");
    return [
      [`NAME_${key}`, name],
      [`SHA256_${key}`, hash.toString("hex")],
      [`SRI_${key}`, `sha256-${hash.toString("base64")}`],
    ] as const;
  });
  return Object.fromEntries(values);
}

/** What a release that is published has not. */
function notes(): readonly string[] {
  const changes = execFileSync("git", ["status", "--porcelain"], { cwd: ROOT, encoding: "utf8" });
  const [, heading = ""] = /^(## .*)$/m.exec(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8")) ?? [];
  return [
    ...(signer === undefined
      ? [
          "not signed, as RELEASE_KEY names no key: there is no InRelease and no repomd.xml.asc, and apt and dnf refuse it",
        ]
      : []),
    ...(process.env["RELEASE_URL"] ? [] : [`RELEASE_URL is not set: the texts name ${url}, where nothing is served`]),
    ...(changes === "" ? [] : ["the working tree differs from the last commit, so nobody else can make these bytes"]),
    ...(new RegExp(`^## ${RegExp.escape(version)} \\(\\d{4}-\\d\\d-\\d\\d\\)$`).test(heading)
      ? []
      : [`CHANGELOG.md begins with "${heading}": expected ## ${version} and its date in parentheses`]),
  ];
}

/** Paths of all files, sorted by bytes. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function sha256(path: string): Buffer {
  return createHash("sha256").update(readFileSync(path)).digest();
}
