import { lstat, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../fs/error-code.ts";
import { makeOwnFolder, syncFolder } from "../fs/folders.ts";
import type { SignerEntries } from "./signer-entries.ts";
import { supersededNoes } from "./signer-noes.ts";

const FORGOTTEN = "forgotten-";
/**
 * How long a newer revision must have been there before an older one is taken away, in milliseconds: no
 * process lives that long, so that none that began to read before finds neither.
 */
const SWEEP_AFTER = 90_000;

/** Where the names about one signer lie: `DIRECTORY/SIGNERS/NAME`. */
export interface SignerFolder {
  readonly directory: string;
  readonly signers: string;
  readonly name: string;
}

/**
 * Adds names. {@link settle} is to follow, so that they outlast a crash of the machine.
 *
 * @param names in the form of signer-entries.ts
 * @throws Error where that is impossible, or somebody else has a say in the folder
 */
export async function addEntries({ directory, signers, name }: SignerFolder, names: readonly string[]): Promise<void> {
  const folder = await makeOwnFolder(directory, signers, name);
  for (const entryName of names) await makeEmptyFile(join(folder, entryName));
}

/**
 * Syncs what was added, and takes away names that another one supersedes.
 *
 * @param known what is there; revisions in ascending order
 * @throws Error where that is impossible
 */
export async function settle(
  { directory, signers, name }: SignerFolder,
  { revs, noes }: Pick<SignerEntries, "revs" | "noes">,
): Promise<void> {
  const folder = join(directory, signers, name);
  try {
    for (const path of [folder, join(directory, signers), directory]) await syncFolder(path);
  } catch (error) {
    // Forgotten since the names were added (`state forget`): they are to be gone.
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  await sweep(folder, revs);
  await sweepNoes(folder, noes);
}

/**
 * Takes a signer's folder away, at once and whole.
 *
 * @throws Error with the code ENOENT where there is none
 */
export async function removeEntries({ directory, signers, name }: SignerFolder): Promise<void> {
  await rename(join(directory, signers, name), join(directory, `${FORGOTTEN}${crypto.randomUUID()}`));
  await syncFolder(join(directory, signers));
  // Those too that a process was killed over.
  const forgotten = (await readdir(directory)).filter((entry) => entry.startsWith(FORGOTTEN));
  for (const entry of forgotten) await rm(join(directory, entry), { recursive: true, force: true });
}

/** Makes an empty file; somebody else's is as good. */
export async function makeEmptyFile(path: string): Promise<void> {
  try {
    await (await open(path, "wx", 0o644)).close();
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

/**
 * Takes away revisions that a newer one supersedes, once that one has been there for {@link SWEEP_AFTER}. They mostly come in
 * their order, so that the newest such one is found without looking at all of a signer who pushes a lot.
 */
async function sweep(folder: string, revs: SignerEntries["revs"]): Promise<void> {
  const names = revs.map((rev) => join(folder, `rev-${rev}`));
  let [superseded, end] = [0, names.length];
  while (superseded + 1 < end) {
    const middle = (superseded + end) >> 1;
    if (await isOldEnough(names[middle] ?? "")) superseded = middle;
    else end = middle;
  }
  for (const older of names.slice(0, superseded)) await rm(older, { force: true });
}

/** The same for noes that a newer one about their path, or the floor, supersedes. */
async function sweepNoes(folder: string, noes: SignerEntries["noes"]): Promise<void> {
  const byNewer = Map.groupBy(supersededNoes(noes), ([, newer]) => newer);
  for (const [newer, superseded] of byNewer) {
    if (!(await isOldEnough(join(folder, newer)))) continue;
    for (const [name] of superseded) await rm(join(folder, name), { force: true });
  }
}

async function isOldEnough(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).mtimeMs < Date.now() - SWEEP_AFTER;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false; // swept in the meantime
    throw error;
  }
}
