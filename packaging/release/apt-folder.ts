/**
 * A folder that apt can use as it is, wherever it is served (Debian wiki, DebianRepository/Format). Indices are there by their
 * hash, too: apt asks for them so, and does not mix an old index with a new Release while the folder is being replaced.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipped } from "../image/tar.ts";
import type { DebianRoot } from "./debian-root.ts";
import type { Signer } from "./signer.ts";

const ARCHITECTURES = ["amd64", "arm64"] as const;
const POOL = "pool/main/a/atcr-verify";

/**
 * @param folder an empty one
 * @param debs paths, of one version
 * @param epoch seconds since 1970
 * @param signer without it there is a Release, and no InRelease: apt refuses the folder
 */
export async function writeAptFolder(
  folder: string,
  debs: readonly string[],
  { suite, epoch, debian, signer }: AptOptions,
): Promise<void> {
  mkdirSync(join(folder, POOL), { recursive: true });
  for (const deb of debs) linkSync(deb, join(folder, POOL, basename(deb)));
  const dists = join(folder, "dists", suite);
  const indices: { readonly path: string; readonly bytes: Uint8Array }[] = [];
  for (const architecture of ARCHITECTURES) {
    const stanzas = debs.map(stanzaOf).filter((text) => text.includes(`\nArchitecture: ${architecture}\n`));
    if (stanzas.length !== 1) throw new Error(`found ${stanzas.length} packages for ${architecture}; expected one`);
    const plain = Buffer.from(`${stanzas.join("\n")}`);
    const path = `main/binary-${architecture}`;
    indices.push({ path: `${path}/Packages`, bytes: plain });
    indices.push({ path: `${path}/Packages.gz`, bytes: await gzipped(plain) });
    indices.push({ path: `${path}/Packages.xz`, bytes: debian.run(["xz", "-9", "--stdout"], {}, plain) });
    const byHash = join(dists, path, "by-hash/SHA256");
    mkdirSync(byHash, { recursive: true });
  }
  for (const { path, bytes } of indices) {
    writeFileSync(join(dists, path), bytes);
    linkSync(join(dists, path), join(dists, path, "../by-hash/SHA256", sha256(bytes)));
  }
  const release = `${[
    "Origin: atcr-verify",
    "Label: atcr-verify",
    `Suite: ${suite}`,
    `Codename: ${suite}`,
    `Date: ${new Date(epoch * 1000).toUTCString().replace("GMT", "UTC")}`,
    `Architectures: ${ARCHITECTURES.join(" ")}`,
    "Components: main",
    "Acquire-By-Hash: yes",
    "Description: the image verifier atcr-verify",
    "SHA256:",
    ...indices.map(({ path, bytes }) => ` ${sha256(bytes)} ${bytes.length} ${path}`),
  ].join("\n")}\n`;
  writeFileSync(join(dists, "Release"), release);
  if (signer === undefined) return;
  writeFileSync(join(dists, "Release.gpg"), signer.detached(Buffer.from(release)));
  writeFileSync(join(dists, "InRelease"), signer.clear(release));
}

interface AptOptions {
  readonly suite: string;
  readonly epoch: number;
  readonly debian: DebianRoot;
  readonly signer: Signer | undefined;
}

/** The package's own fields, and where it is. */
function stanzaOf(deb: string): string {
  const bytes = readFileSync(deb);
  const control = execFileSync("dpkg-deb", ["--field", deb], { encoding: "utf8" }).trimEnd();
  return `${control}\nFilename: ${POOL}/${basename(deb)}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
