import type { Config } from "../../core/config/config.ts";
import { type LocatedPolicy, readPolicy } from "../../core/policy/parse-policy.ts";
import type { PolicyFinding } from "../../core/policy-tools/policy-finding.ts";
import { oncePerPath } from "../fs/local-file.ts";
import { type PolicyTexts, policyTexts, refuseUntrusted } from "./settings-files.ts";

/** The files of the policy that a command works on. */
export interface PolicyInput extends PolicyTexts {
  readonly path: string;
  /** Why a pull on this machine would reject it. */
  readonly untrustedFiles: readonly PolicyFinding[];
}

/** The policy that a command works on. */
export interface PolicySource extends LocatedPolicy, Omit<PolicyInput, "texts"> {}

/**
 * Opens the policy named on the command line, else the configured one. A named one may be writable by others, as after
 * a checkout in a pipeline: it is only examined, not enforced.
 *
 * @throws Rejection policy.invalid
 */
export function policyInput(named: string | undefined, config: Pick<Config, "trustPolicyPath">): PolicyInput {
  const path = named ?? config.trustPolicyPath;
  const reasons: string[] = [];
  const note = oncePerPath((why) => reasons.push(why));
  const texts = policyTexts(path, named === undefined ? refuseUntrusted : note);
  return { ...texts, path, untrustedFiles: reasons.map(untrustedFiles) };
}

/** A policy of one file that has no path, such as standard input. @param name for messages */
export function policyOfText(text: string, name: string): PolicyInput {
  return { path: name, texts: [{ name, text }], unread: [], untrustedFiles: [] };
}

/** @throws Rejection policy.invalid */
export function policySource({ texts, ...input }: PolicyInput): PolicySource {
  const [own, ...fragments] = texts;
  return { ...input, ...readPolicy(own.text, own.name, fragments) };
}

function untrustedFiles(why: string): PolicyFinding {
  const message = `a pull would reject this policy: ${why}`;
  const advice = "this matters only if pulls read the policy from this path";
  return { severity: "warning", name: "policy-distrusted", message, advice };
}
