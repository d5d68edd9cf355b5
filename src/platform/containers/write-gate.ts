import { type ContainersFiles, removeContainersFile, writeContainersFile } from "./containers-files.ts";
import { type ContainersGate, enabling, obstaclesTo } from "./containers-gate.ts";
import { formerPath, saveFormer } from "./former-policy.ts";
import type { ContainersPolicy } from "./policy-json.ts";

/** The second file could not be written, nor the first one put back. */
export class HalfWritten extends Error {}

/** What was done. */
export interface Written {
  readonly changed: boolean;
  /** Whether requirements of others were replaced, and kept beside policy.json. */
  readonly isSaved: boolean;
}

/**
 * Writes what `enable --containers` does: both files or none. registries.d first: with policy.json alone, pulls would be
 * refused for want of signatures.
 *
 * @param former what was replaced before
 * @throws Error of the file system, after which both are as before; {@link HalfWritten}; Rejection where others can change a folder
 */
export function writeGate(gate: ContainersGate, files: ContainersFiles, former?: ContainersPolicy): Written {
  const { policy, own } = enabling(gate, files, former);
  const { taken } = obstaclesTo(gate, files);
  const isSaved = policy !== undefined && taken.length > 0;
  if (isSaved) saveFormer(files, taken, former);
  let isFirstWritten = false;
  try {
    if (own !== undefined) writeContainersFile(files.ownPath, own);
    isFirstWritten = own !== undefined;
    if (policy !== undefined) writeContainersFile(files.policyPath, policy);
  } catch (error) {
    if (isFirstWritten) putBack(files, error);
    if (isSaved && former === undefined) removeContainersFile(formerPath(files.policyPath));
    throw error;
  }
  return { changed: policy !== undefined || own !== undefined, isSaved };
}

function putBack({ ownPath, ownText }: ContainersFiles, why: unknown): void {
  try {
    if (ownText === undefined) removeContainersFile(ownPath);
    else writeContainersFile(ownPath, ownText);
  } catch (error) {
    const reasons = [why, error].map((one) => (one as Error).message).join("; ");
    throw new HalfWritten(`${ownPath} was written, and could not be put back: ${reasons}`, { cause: error });
  }
}
