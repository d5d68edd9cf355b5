import type { PolicyText } from "../../core/policy/policy-file.ts";
import { reject } from "../../core/rejection.ts";
import { type OnUntrusted, readPossiblyUntrustedFile, readTrustedFile } from "../fs/local-file.ts";
import type { Environment } from "../process/environment.ts";
import { readFragments } from "./policy-fragments.ts";

const DEFAULT_CONFIG_PATH = "/etc/atcr-verify/config.yaml";
const CONFIG_VARIABLE = "ATCR_VERIFY_CONFIG";

/** Path of the configuration: `named`, else ATCR_VERIFY_CONFIG, else the one in /etc. */
export function configPath(environment: Environment, named: string | undefined): string {
  return named ?? environment[CONFIG_VARIABLE] ?? DEFAULT_CONFIG_PATH;
}

/** Whether the environment names a configuration. */
export function isConfigNamed(environment: Environment): boolean {
  return environment[CONFIG_VARIABLE] !== undefined;
}

/**
 * Reads the configuration file: `named`, else ATCR_VERIFY_CONFIG, else the one in /etc. Only the last may be absent.
 *
 * @param onUntrusted called if `named` is a file that others can change; without it, such a file is rejected
 * @returns undefined where the file in /etc is absent: then the defaults apply
 * @throws Rejection config.invalid
 */
export function configText(
  environment: Environment,
  named: string | undefined,
  onUntrusted?: OnUntrusted,
): PolicyText | undefined {
  const name = configPath(environment, named);
  // An empty path would mean the working directory.
  if (name === "") reject("config.invalid", `${CONFIG_VARIABLE} is set and empty; name a file or unset it`);
  const file = { path: name, code: "config.invalid", what: "the configuration" } as const;
  const isTolerated = named !== undefined && onUntrusted !== undefined;
  const text = isTolerated ? readPossiblyUntrustedFile(file, onUntrusted) : readTrustedFile(file);
  if (text !== undefined) return { name, text };
  if (named === undefined && !isConfigNamed(environment)) return undefined;
  const from = named === undefined ? `named by ${CONFIG_VARIABLE}` : "named by --config";
  return reject("config.invalid", `the configuration ${name}, ${from}, does not exist`);
}

/** Rejects files that others can change: for pulls, and for a policy that was not named on the command line. */
export const refuseUntrusted: OnUntrusted = (why) => reject("policy.invalid", why);

/** The texts of a policy: the main file, then its fragments in order. */
export interface PolicyTexts {
  readonly texts: readonly [PolicyText, ...PolicyText[]];
  /** Paths in policy.d that are not fragments. */
  readonly unread: readonly string[];
}

/**
 * Reads the texts of the trust policy and its fragments. Without the main file every pull is rejected, even if there
 * are fragments.
 *
 * @param ofFragments the same for the fragments and their folder, if it differs
 * @throws Rejection policy.invalid
 */
export function policyTexts(path: string, onUntrusted: OnUntrusted, ofFragments = onUntrusted): PolicyTexts {
  const text = readPossiblyUntrustedFile({ path, code: "policy.invalid", what: "the trust policy" }, onUntrusted);
  if (text === undefined) {
    reject(
      "policy.invalid",
      `the trust policy ${path} does not exist; correct the path, or create it with: atcr-verify policy init; see also atcr-verify-policy(5)`,
    );
  }
  const { fragments, unread } = readFragments(path, ofFragments);
  return { texts: [{ name: path, text }, ...fragments], unread };
}
