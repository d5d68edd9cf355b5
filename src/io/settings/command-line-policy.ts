import { statSync } from "node:fs";
import { readPolicy } from "../../core/policy/parse-policy.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import { reject } from "../../core/rejection.ts";
import type { Warn } from "../../core/warning.ts";
import { policyTexts, refuseUntrusted } from "./settings-files.ts";

/**
 * Reads a policy that the command line names. The file itself may be one that others can change, as after a checkout in a
 * pipeline: one warning says so, with its owner, mode and hash. Its fragments must be trusted files, as at a pull
 * (decision 0038).
 *
 * @param hash expected SHA-256 of the file and its fragments, in hex: with it, it does not matter who can change them
 * @throws Rejection policy.invalid; input.malformed where the hash differs
 */
export function loadNamedPolicy(path: string, hash: string | undefined, warn: Warn): TrustPolicy {
  const reasons: string[] = [];
  const { texts } = policyTexts(path, (why) => reasons.push(why), refuseUntrusted);
  const [own, ...fragments] = texts;
  const { policy } = readPolicy(own.text, own.name, fragments);
  if (hash !== undefined && hash !== policy.hash) {
    const advice = "check who changed it, or correct the hash";
    reject(
      "input.malformed",
      `the policy ${path} has the SHA-256 ${policy.hash}, --policy-sha256 is ${hash}; ${advice}`,
    );
  }
  const [why] = reasons;
  if (why !== undefined && hash === undefined)
    warn({ code: "settings.distrusted", message: distrusted(path, why, policy.hash) });
  return policy;
}

function distrusted(path: string, why: string, hash: string): string {
  const { uid, mode } = statSync(path);
  const about = `owner ${uid}, mode ${(mode & 0o7777).toString(8)}, SHA-256 ${hash}`;
  const advice = "in a pull request, take the policy from the base branch, or pin it with --policy-sha256";
  const [reason = ""] = why.split(/[,;] (?:expected|run:)/);
  return `${reason}; it is used because --policy names it, but a pull would refuse it (${about}); ${advice}`;
}
