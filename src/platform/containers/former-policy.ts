import { constants, copyFileSync } from "node:fs";
import { readTrustedFile } from "../../io/fs/local-file.ts";
import { type ContainersFiles, writeContainersFile } from "./containers-files.ts";
import { type ContainersPolicy, parsePolicyJson, policyText, requirementsOfScope, withScopes } from "./policy-json.ts";

/** Beside policy.json: the file as it was before `enable --force` replaced requirements of others. */
export function formerPath(policyPath: string): string {
  return `${policyPath}.before-atcr-verify`;
}

/** @returns undefined where nothing was replaced @throws Rejection config.invalid where it cannot be read or understood */
export function readFormer(policyPath: string): ContainersPolicy | undefined {
  const path = formerPath(policyPath);
  const text = readTrustedFile({ path, code: "config.invalid", what: "the former policy.json" });
  return text === undefined ? undefined : parsePolicyJson(text, path);
}

/**
 * Keeps the requirements that are about to be replaced: those of an earlier time stay in the file, as they may be of
 * other hosts.
 *
 * @param taken hosts with requirements of others
 * @throws Error of the file system
 */
export function saveFormer(
  { policyPath, policy }: ContainersFiles,
  taken: readonly string[],
  former?: ContainersPolicy,
) {
  const path = formerPath(policyPath);
  // Never through a link that lies there.
  if (former === undefined) return copyFileSync(policyPath, path, constants.COPYFILE_EXCL);
  const both = taken.reduce((all, host) => withScopes(all, [host], requirementsOfScope(policy, host)), former);
  writeContainersFile(path, policyText(both));
}
