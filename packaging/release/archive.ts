/** What is in the archives beside the program, and the archives for Linux; those for macOS are made by packaging/macos. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipped, type TarEntry, writeTar } from "../image/tar.ts";

/**
 * An archive of one folder, named as the archive: the program, its licences, SBOM and schemas, manual pages, completions, and
 * what else is named.
 *
 * @param sbom path of the SBOM of this very program
 * @param more folders of packaging/, with what a node needs
 */
export async function packArchive(
  root: string,
  of: {
    readonly name: string;
    readonly program: Uint8Array;
    readonly sbom: string;
    readonly more: readonly string[];
    readonly epoch: number;
  },
): Promise<Buffer> {
  const read = (path: string): Buffer => readFileSync(join(root, path));
  const files: readonly (readonly [string, Uint8Array])[] = [
    ["LICENSE", read("LICENSE")],
    ["README.md", read("README.md")],
    ["CHANGELOG.md", read("CHANGELOG.md")],
    ["THIRD-PARTY-NOTICES.txt", read("dist/THIRD-PARTY-NOTICES.txt")],
    ["atcr-verify.cdx.json", readFileSync(of.sbom)],
    ...SCHEMAS.map((name) => [name, read(`dist/${name}`)] as const),
    ...["man", "completions", ...of.more].flatMap((below) =>
      readdirSync(join(root, "packaging", below)).map(
        (file) => [`${below}/${file}`, read(`packaging/${below}/${file}`)] as const,
      ),
    ),
  ];
  const entries: readonly TarEntry[] = [
    { path: `${of.name}/atcr-verify`, type: "file", bytes: of.program, mode: 0o755 },
    ...files.map(([path, bytes]): TarEntry => ({ path: `${of.name}/${path}`, type: "file", bytes })),
  ];
  return gzipped(writeTar(entries, of.epoch));
}

/** The JSON Schemas of the policy, and of what `verify` prints. */
export const SCHEMAS = ["trust-policy.schema.json", "verify-result.schema.json"] as const;
