/** A folder that dnf can use as it is: packages of both architectures, and createrepo_c's lists of them. */
import { linkSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { DebianRoot } from "./debian-root.ts";
import type { Signer } from "./signer.ts";

/**
 * @param folder an empty one below the root's own folder
 * @param rpms paths; signed already where there is a signer
 * @param epoch seconds since 1970
 * @param signer without it repomd.xml is not signed: dnf refuses the folder
 */
export function writeDnfFolder(
  folder: string,
  rpms: readonly string[],
  {
    epoch,
    debian,
    signer,
  }: { readonly epoch: number; readonly debian: DebianRoot; readonly signer: Signer | undefined },
): void {
  mkdirSync(folder, { recursive: true });
  for (const rpm of rpms) {
    utimesSync(rpm, epoch, epoch);
    linkSync(rpm, join(folder, basename(rpm)));
  }
  const inside = debian.inside + folder.slice(debian.folder.length);
  // In the lists are the times of the files, and of the lists themselves.
  const reproducible = ["--revision", `${epoch}`, "--set-timestamp-to-revision", "--workers", "1", "--no-database"];
  debian.run(["createrepo_c", "--quiet", ...reproducible, inside]);
  const repomd = join(folder, "repodata/repomd.xml");
  if (signer !== undefined) writeFileSync(`${repomd}.asc`, signer.detached(readFileSync(repomd)));
}
