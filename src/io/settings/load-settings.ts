import { type Config, DEFAULT_CONFIG } from "../../core/config/config.ts";
import { parseConfig } from "../../core/config/parse-config.ts";
import { type LocatedPolicy, readPolicy } from "../../core/policy/parse-policy.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import type { PolicyText } from "../../core/policy/policy-file.ts";
import { Rejection } from "../../core/rejection.ts";
import type { OnUntrusted } from "../fs/local-file.ts";
import type { Environment } from "../process/environment.ts";
import { configText, type PolicyTexts, policyTexts, refuseUntrusted } from "./settings-files.ts";

/**
 * Reads the configuration (settings-files.ts decides which file).
 *
 * @param onUntrusted called if `named` is a file that others can change; without it, such a file is rejected
 * @throws Rejection config.invalid
 */
export function loadConfig(environment: Environment, named: string | undefined, onUntrusted?: OnUntrusted): Config {
  const file = configText(environment, named, onUntrusted);
  return file === undefined ? DEFAULT_CONFIG : parsedConfig(file);
}

/** @throws Rejection config.invalid */
export function parsedConfig({ name, text }: PolicyText): Config {
  return parseConfig(text, name);
}

/** @throws Rejection policy.invalid */
export function parsedPolicy([own, ...fragments]: PolicyTexts["texts"]): TrustPolicy {
  return readPolicy(own.text, own.name, fragments).policy;
}

/** Like {@link loadPolicyFiles}, but rejects a policy that others can change (spec 2.5), and returns no locations. */
export function loadPolicy(path: string): TrustPolicy {
  return loadPolicyFiles(path, refuseUntrusted).policy;
}

/** Like {@link loadPolicy}; undefined where a pull would reject the policy, for reports that are about something else. */
export function loadUsablePolicy(path: string): TrustPolicy | undefined {
  try {
    return loadPolicy(path);
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}

/** A policy, its locations, and the files that were not read. */
export interface PolicyFiles extends LocatedPolicy {
  /** Paths in policy.d that are not fragments. */
  readonly unread: readonly string[];
}

/**
 * Reads the trust policy and its fragments.
 *
 * @throws Rejection policy.invalid
 */
export function loadPolicyFiles(path: string, onUntrusted: OnUntrusted): PolicyFiles {
  const {
    texts: [own, ...fragments],
    unread,
  } = policyTexts(path, onUntrusted);
  return { ...readPolicy(own.text, own.name, fragments), unread };
}
