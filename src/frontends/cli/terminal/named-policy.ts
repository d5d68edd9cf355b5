import type { Config } from "../../../core/config/config.ts";
import { MAX_FILE } from "../../../io/fs/local-file.ts";
import { type PolicyInput, policyInput, policyOfText } from "../../../io/settings/policy-source.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { readStandardInput, STDIN_NAME } from "../../process/standard-input.ts";

/**
 * The policy named on the command line, where `-` is standard input, or the configured one.
 *
 * @throws Rejection policy.invalid
 */
export async function namedPolicy(
  named: string | undefined,
  config: Config,
  { deadline }: ProcessLifecycle,
): Promise<PolicyInput> {
  return named === "-"
    ? policyOfText(await readStandardInput(deadline, MAX_FILE, "policy.invalid"), STDIN_NAME)
    : policyInput(named, config);
}
