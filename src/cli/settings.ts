import { type Config, DEFAULT_CONFIG, parseConfig } from "../config/config.ts";
import { type LocatedPolicy, readPolicy } from "../policy/parse.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { reject } from "../rejection.ts";
import { readFragments } from "./fragments.ts";
import { readTrustedFile } from "./local-file.ts";

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

/** As {@link loadLocatedPolicy}, for whoever needs no places. */
export function loadPolicy(path: string): TrustPolicy {
  return loadLocatedPolicy(path).policy;
}

/**
 * Reads the trust policy and its fragments. Without a policy nothing is trusted and every pull is
 * refused, whatever fragments there are.
 *
 * @throws Rejection policy.invalid
 */
export function loadLocatedPolicy(path: string): LocatedPolicy {
  const text = readTrustedFile({ path, code: "policy.invalid", what: "the trust policy" });
  if (text === undefined) {
    reject(
      "policy.invalid",
      `there is no trust policy ${path}; write one: whom does this node trust for which images?`,
    );
  }
  return readPolicy(text, path, readFragments(path));
}
