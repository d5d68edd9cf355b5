import type { PolicyText } from "../../core/policy/policy-file.ts";
import { reject } from "../../core/rejection.ts";
import { type Distrust, readDistrustedFile, readTrustedFile } from "../fs/local-file.ts";
import type { Environment } from "../process/environment.ts";
import { readFragments } from "./policy-fragments.ts";

const DEFAULT_CONFIG_PATH = "/etc/atcr-verify/config.yaml";
const CONFIG_VARIABLE = "ATCR_VERIFY_CONFIG";

/** Where the configuration lies: named here, else by ATCR_VERIFY_CONFIG, else in /etc. */
export function configPath(environment: Environment, named: string | undefined): string {
  return named ?? environment[CONFIG_VARIABLE] ?? DEFAULT_CONFIG_PATH;
}

/**
 * Reads the text of the configuration: the file named here, else by ATCR_VERIFY_CONFIG, else the one in
 * /etc. Only that last one may be absent.
 *
 * @param distrust for a file that is named here and that others can change; without it that is refused
 * @returns undefined where it is: then the defaults hold
 * @throws Rejection config.invalid
 */
export function configText(
  environment: Environment,
  named: string | undefined,
  distrust?: Distrust,
): PolicyText | undefined {
  const name = configPath(environment, named);
  // Else it would be the working folder.
  if (name === "") reject("config.invalid", `${CONFIG_VARIABLE} is set and empty; name a file or unset it`);
  const file = { path: name, code: "config.invalid", what: "the configuration" } as const;
  const isTolerated = named !== undefined && distrust !== undefined;
  const text = isTolerated ? readDistrustedFile(file, distrust) : readTrustedFile(file);
  if (text !== undefined) return { name, text };
  if (named === undefined && environment[CONFIG_VARIABLE] === undefined) return undefined;
  const from = named === undefined ? `named by ${CONFIG_VARIABLE}` : "named by --config";
  return reject("config.invalid", `there is no configuration ${name}, ${from}`);
}

/** For pulls, and wherever a policy is not named by whoever asks: what others can change is not used. */
export const refuseDistrusted: Distrust = (why) => reject("policy.invalid", why);

/** The texts of a policy: its own and its fragments', in their order. */
export interface PolicyTexts {
  readonly texts: readonly [PolicyText, ...PolicyText[]];
  /** Paths of what lies in policy.d and is no fragment. */
  readonly unread: readonly string[];
}

/**
 * Reads the texts of the trust policy and its fragments. Without a policy nothing is trusted and every pull
 * is refused, whatever fragments there are.
 *
 * @throws Rejection policy.invalid
 */
export function policyTexts(path: string, distrust: Distrust): PolicyTexts {
  const text = readDistrustedFile({ path, code: "policy.invalid", what: "the trust policy" }, distrust);
  if (text === undefined) {
    reject(
      "policy.invalid",
      `there is no trust policy ${path}; create one: see atcr-verify-policy(5), and /usr/share/doc/atcr-verify/config-examples`,
    );
  }
  const { fragments, unread } = readFragments(path, distrust);
  return { texts: [{ name: path, text }, ...fragments], unread };
}
