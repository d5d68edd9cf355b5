import type { Did } from "../../core/atproto/syntax.ts";
import type { Config } from "../../core/config/config.ts";
import { signersOfAll } from "../../core/policy/signer-refs.ts";
import { isCurrentOrFuture } from "../../core/policy/standing.ts";
import { lintIdentities } from "../../core/policy-tools/lint-identities.ts";
import { isJudging, type PolicyFinding, type PolicyQuestion } from "../../core/policy-tools/policy-finding.ts";
import type { Environment } from "../../io/process/environment.ts";
import { askIdentities } from "./ask-identities.ts";
import { signersContext } from "./network.ts";
import type { Session } from "./session.ts";

/** Most identities that are fetched: a policy may name 10,000. */
export const MAX_IDENTITIES = 500;

/** DIDs of signers that count for some image, without duplicates. */
export function trustedNow({ policy, now }: PolicyQuestion): readonly Did[] {
  const { rules, everyone, fallback } = policy;
  const signers = fallback === "audit" ? everyone : signersOfAll(policy, rules.filter(isJudging));
  return signers.filter((signer) => isCurrentOrFuture(signer, now)).map(({ did }) => did);
}

/** Problems of a policy that the identities of its signers show. */
export async function checkSigners(
  dids: readonly Did[],
  question: PolicyQuestion,
  config: Config,
  environment: Environment,
  session: Session,
): Promise<readonly PolicyFinding[]> {
  if (dids.length === 0) return [];
  const asked = dids.slice(0, MAX_IDENTITIES);
  const context = signersContext(config, environment, session);
  const findings = lintIdentities(question, await askIdentities(asked, context));
  return asked.length === dids.length ? findings : [...findings, notAsked(dids.length - asked.length)];
}

function notAsked(count: number): PolicyFinding {
  const message = `the identities of ${count} signer${count === 1 ? "" : "s"} were not checked: at most ${MAX_IDENTITIES} are fetched`;
  return {
    severity: "warning",
    name: "identities-not-asked",
    message,
    advice: "check them with: atcr-verify identity DID",
  };
}
