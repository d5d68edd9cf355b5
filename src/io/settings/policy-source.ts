import type { Config } from "../../core/config/config.ts";
import type { PolicyFinding } from "../../core/policy-tools/policy-finding.ts";
import { oncePerPath } from "../fs/local-file.ts";
import { loadPolicyFiles, type PolicyFiles } from "./load-settings.ts";
import { refuseUntrusted } from "./settings-files.ts";

/** The policy that a command works on. */
export interface PolicySource extends PolicyFiles {
  readonly path: string;
  /** Why a pull on this machine would reject it. */
  readonly untrustedFiles: readonly PolicyFinding[];
}

/**
 * Reads the policy named on the command line, else the configured one. A named one may be writable by others, as after
 * a checkout in a pipeline: it is only examined, not enforced.
 *
 * @throws Rejection policy.invalid
 */
export function policySource(named: string | undefined, config: Config): PolicySource {
  const path = named ?? config.trustPolicyPath;
  const reasons: string[] = [];
  const note = oncePerPath((why) => reasons.push(why));
  const files = loadPolicyFiles(path, named === undefined ? refuseUntrusted : note);
  return { ...files, path, untrustedFiles: reasons.map(untrustedFiles) };
}

function untrustedFiles(why: string): PolicyFinding {
  const message = `a pull would reject this policy: ${why}`;
  const advice = "this matters only if pulls read the policy from this path";
  return { severity: "warning", name: "policy-distrusted", message, advice };
}
