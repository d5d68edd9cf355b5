import type { Config } from "../../core/config/config.ts";
import type { PolicyFinding } from "../../core/policy-tools/policy-finding.ts";
import { oncePerPath } from "../fs/local-file.ts";
import { loadPolicyFiles, type PolicyFiles } from "./load-settings.ts";
import { refuseDistrusted } from "./settings-files.ts";

/** A policy that a person asks about. */
export interface PolicySource extends PolicyFiles {
  readonly path: string;
  /** What a pull would refuse it for, on this machine. */
  readonly distrusted: readonly PolicyFinding[];
}

/**
 * Reads the policy that a person names, else that of the configuration. One that is named may be
 * writable by others, as it is where a pipeline has checked it out: it is looked at here, not relied on.
 *
 * @throws Rejection policy.invalid
 */
export function policySource(named: string | undefined, config: Config): PolicySource {
  const path = named ?? config.trustPolicyPath;
  const reasons: string[] = [];
  const note = oncePerPath((why) => reasons.push(why));
  const files = loadPolicyFiles(path, named === undefined ? refuseDistrusted : note);
  return { ...files, path, distrusted: reasons.map(distrusted) };
}

function distrusted(why: string): PolicyFinding {
  const message = `a pull would refuse this policy: ${why}`;
  const advice = "nothing is wrong with it as long as no pull reads it from here";
  return { severity: "warning", name: "policy-distrusted", message, advice };
}
