/** What is in the image, layer by layer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture, DebianPackage } from "./debian-packages.ts";
import type { TarEntry } from "./tar.ts";

const ROOT = join(import.meta.dirname, "../..");
/** As distroless images have it, so that policies of clusters (`runAsNonRoot`) accept it by number. */
export const USER = 65532;

interface Libraries {
  /** Below usr/lib. */
  readonly folder: string;
  /** The loader that programs name, and where it really is. */
  readonly loader: TarEntry;
  readonly loaderFile: string;
}

const LIBRARIES: Readonly<Record<Architecture, Libraries>> = {
  amd64: {
    folder: "x86_64-linux-gnu",
    loader: {
      path: "usr/lib64/ld-linux-x86-64.so.2",
      type: "link",
      target: "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    },
    loaderFile: "ld-linux-x86-64.so.2",
  },
  arm64: {
    folder: "aarch64-linux-gnu",
    loader: { path: "usr/lib/ld-linux-aarch64.so.1", type: "link", target: "aarch64-linux-gnu/ld-linux-aarch64.so.1" },
    loaderFile: "ld-linux-aarch64.so.1",
  },
};
/** What the program is linked with. */
const OF_LIBC = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"];

/** What GitHub, GitLab, Tekton and scripts of pipelines call. All are links to busybox. */
export const APPLETS =
  "[ ash awk base64 basename bunzip2 bzcat cat chgrp chmod chown clear cmp cp cut date dd df diff dirname du echo egrep env expand expr false fgrep find fold grep groups gunzip gzip head hostname id install kill less ln ls md5sum mkdir mkfifo mktemp mv nl nproc nslookup od paste ping printf ps pwd readlink realpath rev rm rmdir sed seq sh sha1sum sha256sum sha512sum shuf sleep sort stat stty sync tac tail tar tee test time timeout touch tr true truncate tty uname uniq unlink unxz unzip vi watch wc wget which whoami xargs xxd yes zcat".split(
    " ",
  );

type Packages = ReadonlyMap<string, DebianPackage>;

/** libc, certificates, users and the folders that a runtime mounts on; nothing that runs by itself. */
export function baseLayer(packages: Packages, architecture: Architecture): readonly TarEntry[] {
  const { folder, loader, loaderFile } = LIBRARIES[architecture];
  const libc = packageOf(packages, "libc6");
  const certificates = packageOf(packages, "ca-certificates");
  return [
    ...["proc", "dev", "sys", "run", "usr/bin", "usr/sbin"].map((path): TarEntry => ({ path, type: "folder" })),
    { path: "tmp", type: "folder", mode: 0o1777 },
    // As Debian has it. usr/lib64 is there on amd64 alone.
    ...["bin", "sbin", "lib", ...(architecture === "amd64" ? ["lib64"] : [])].map(
      (path): TarEntry => ({ path, type: "link", target: `usr/${path}` }),
    ),
    loader,
    ...[loaderFile, ...OF_LIBC].map((name) => fileOf(libc, `usr/lib/${folder}/${name}`)),
    text("etc/ssl/certs/ca-certificates.crt", authorities(certificates)),
    text("etc/passwd", passwd()),
    text("etc/group", `root:x:0:\natcr-verify:x:${USER}:\nnogroup:x:65534:\n`),
    text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    // Scanners take from it, and from dpkg's status, which advisories concern the packages.
    text(
      "etc/os-release",
      'PRETTY_NAME="atcr-verify on packages of Debian 13"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n',
    ),
    ...[libc, certificates].flatMap(recordOf),
  ];
}

/** The program, with its licence and the notices of what it is made of. */
export function programLayer(program: Uint8Array, sbom: Uint8Array): readonly TarEntry[] {
  const doc = "usr/share/doc/atcr-verify";
  return [
    { path: "usr/bin/atcr-verify", type: "file", bytes: program, mode: 0o755 },
    { path: `${doc}/LICENSE`, type: "file", bytes: readFileSync(join(ROOT, "LICENSE")) },
    {
      path: `${doc}/THIRD-PARTY-NOTICES.txt`,
      type: "file",
      bytes: readFileSync(join(ROOT, "dist/THIRD-PARTY-NOTICES.txt")),
    },
    { path: `${doc}/atcr-verify.cdx.json`, type: "file", bytes: sbom },
  ];
}

/** A shell with the usual commands, and the libraries that the Node of GitHub's runner is linked with. */
export function shellLayer(packages: Packages, architecture: Architecture): readonly TarEntry[] {
  const { folder } = LIBRARIES[architecture];
  const busybox = packageOf(packages, "busybox-static");
  const [stdlib, gcc] = [packageOf(packages, "libstdc++6"), packageOf(packages, "libgcc-s1")];
  const gccBase = packageOf(packages, "gcc-14-base");
  return [
    fileOf(busybox, "usr/bin/busybox"),
    ...APPLETS.map((name): TarEntry => ({ path: `usr/bin/${name}`, type: "link", target: "busybox" })),
    ...[...stdlib.files.values()].filter(({ path }) => path.startsWith(`usr/lib/${folder}/libstdc++.so.6`)),
    fileOf(gcc, `usr/lib/${folder}/libgcc_s.so.1`),
    ...[busybox, stdlib, gcc, gccBase].flatMap(recordOf),
  ];
}

/** The packages whose files are in an image. */
export function packagesOf(packages: Packages, isShell: boolean): readonly DebianPackage[] {
  return [...packages.values()].filter(({ name }) => isShell || name === "libc6" || name === "ca-certificates");
}

/** As update-ca-certificates makes it: every certificate of the package, in the order of their names, each with a newline. */
function authorities({ files }: DebianPackage): string {
  const names = [...files.keys()].filter((path) => /^usr\/share\/ca-certificates\/.*\.crt$/.test(path)).toSorted();
  return names.map((path) => `${Buffer.from(bytesOf(files, path)).toString().trimEnd()}\n`).join("");
}

/** Without homes: nothing of a container's lasts, and runners of pipelines set HOME. */
function passwd(): string {
  const users = [
    ["root", 0, "/bin/sh"],
    ["atcr-verify", USER, "/usr/sbin/nologin"],
    ["nobody", 65534, "/usr/sbin/nologin"],
  ] as const;
  return users.map(([name, id, shell]) => `${name}:x:${id}:${id}:${name}:/:${shell}\n`).join("");
}

/** Its copyright, and its fields as dpkg keeps them, where scanners look for packages without a package manager. */
function recordOf({ name, files, control }: DebianPackage): readonly TarEntry[] {
  const doc = files.get(`usr/share/doc/${name}`);
  const copyright: TarEntry =
    doc?.type === "link"
      ? { path: `usr/share/doc/${name}`, type: "link", target: doc.target }
      : {
          path: `usr/share/doc/${name}/copyright`,
          type: "file",
          bytes: bytesOf(files, `usr/share/doc/${name}/copyright`),
        };
  return [copyright, text(`var/lib/dpkg/status.d/${name}`, control)];
}

function packageOf(packages: Packages, name: string): DebianPackage {
  const found = packages.get(name);
  if (found === undefined) throw new Error(`packages.lock.json has no ${name}: node packaging/image/renew-packages.ts`);
  return found;
}

function fileOf({ name, files }: DebianPackage, path: string): TarEntry {
  const entry = files.get(path);
  if (entry?.type !== "file") throw new Error(`the package ${name} has no file ${path}`);
  return entry;
}

function bytesOf(files: DebianPackage["files"], path: string): Uint8Array {
  const entry = files.get(path);
  if (entry?.type !== "file") throw new Error(`a package has no file ${path}`);
  return entry.bytes;
}

function text(path: string, content: string): TarEntry {
  return { path, type: "file", bytes: Buffer.from(content) };
}
