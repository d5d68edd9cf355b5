import { type Config, DEFAULT_CONFIG, parseConfig } from "../config/config.ts";
import { type Distrust, readDistrustedFile, readTrustedFile } from "../disk/local-file.ts";
import { type LocatedPolicy, readPolicy } from "../policy/parse.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { reject } from "../rejection.ts";
import { readFragments } from "./fragments.ts";

const DEFAULT_CONFIG_PATH = "/etc/atcr-verify/config.yaml";
const CONFIG_VARIABLE = "ATCR_VERIFY_CONFIG";

/**
 * Reads the configuration: the file named here, else by ATCR_VERIFY_CONFIG, else the one in /etc.
 * Only that last one may be absent, which means the defaults.
 *
 * @throws Rejection config.invalid
 */
export function loadConfig(named: string | undefined): Config {
  const path = named ?? process.env[CONFIG_VARIABLE];
  // Else it would be the working folder.
  if (path === "") reject("config.invalid", `${CONFIG_VARIABLE} is set and empty; name a file or unset it`);
  const text = readTrustedFile({
    path: path ?? DEFAULT_CONFIG_PATH,
    code: "config.invalid",
    what: "the configuration",
  });
  if (text !== undefined) return parseConfig(text, path ?? DEFAULT_CONFIG_PATH);
  if (path !== undefined) {
    const from = named === undefined ? `named by ${CONFIG_VARIABLE}` : "named by --config";
    reject("config.invalid", `there is no configuration ${path}, ${from}`);
  }
  return DEFAULT_CONFIG;
}

/** As {@link loadPolicyFiles}, of a policy that nobody else can change, for whoever needs no places (spec 2.5). */
export function loadPolicy(path: string): TrustPolicy {
  return loadPolicyFiles(path, refuseDistrusted).policy;
}

/** For pulls, and wherever a policy is not named by whoever asks: what others can change is not used. */
export const refuseDistrusted: Distrust = (why) => reject("policy.invalid", why);

/** A policy, its places, and the files that were not read for it. */
export interface PolicyFiles extends LocatedPolicy {
  /** Paths of what lies in policy.d and is no fragment. */
  readonly unread: readonly string[];
}

/**
 * Reads the trust policy and its fragments. Without a policy nothing is trusted and every pull is
 * refused, whatever fragments there are.
 *
 * @throws Rejection policy.invalid
 */
export function loadPolicyFiles(path: string, distrust: Distrust): PolicyFiles {
  const text = readDistrustedFile({ path, code: "policy.invalid", what: "the trust policy" }, distrust);
  if (text === undefined) {
    reject(
      "policy.invalid",
      `there is no trust policy ${path}; write one: whom does this node trust for which images?`,
    );
  }
  const { fragments, unread } = readFragments(path, distrust);
  return { ...readPolicy(text, path, fragments), unread };
}
