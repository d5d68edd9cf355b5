import { formatReference, type ImageReference } from "../core/oci/reference.ts";
import type { TrustPolicy } from "../core/policy/policy.ts";
import { selectByName } from "../core/policy/select.ts";
import { findTaker } from "../core/policy-tools/coverage.ts";
import { lintPolicy } from "../core/policy-tools/lint.ts";
import type { PolicyFinding, PolicyQuestion } from "../core/policy-tools/policy-finding.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";

/** Rules listed in one sentence, at most. */
const MAX_NAMED = 5;

/**
 * What the policy does with pulls, and with the sandbox image that every pod starts with.
 *
 * @param path of the policy
 * @param sandbox the node's sandbox image, if it runs pods
 */
export function checkPolicy(
  question: PolicyQuestion,
  path: string,
  sandbox: ImageReference | undefined,
): readonly CheckResult[] {
  // The sandbox image is checked below, as lint only warns of it.
  const found = lintPolicy(question, undefined);
  const [errors, warnings] = (["error", "warning"] as const).map((severity) =>
    found.filter((one) => one.severity === severity),
  );
  const check = `run: atcr-verify policy check ${path}`;
  const lint = (of: readonly PolicyFinding[] = []) =>
    `${path}: ${of.length} ${of.length === 1 ? "finding" : "findings"}, the first: ${of[0]?.message ?? ""}`;
  return [
    effect(question, path),
    ...(errors?.length ? [problem("policy-errors", lint(errors), check)] : []),
    ...(warnings?.length ? [warning("policy-warnings", lint(warnings), check)] : []),
    ...(sandbox ? [checkSandbox(question, sandbox)] : []),
  ];
}

/** The effect of the policy in one sentence. */
function effect({ policy }: PolicyQuestion, path: string): CheckResult {
  const { rules, fallback } = policy;
  const count = (action: string) => rules.filter((rule) => rule.action === action).length;
  const counts = ["enforce", "audit", "allow", "deny"].map((action) => `${count(action)} ${action}`).join(", ");
  const trusted = policy.everyone.length === 0 ? "; no signer yet" : "";
  const found = `${path}: rules: ${counts}; default ${fallback}${trusted}`;
  // After a rule that matches every name, no later rule applies, nor the default.
  const last = findTaker(rules);
  const asked = last === -1 ? rules : rules.slice(0, last + 1);
  const rest = rules[last]?.action ?? fallback;
  const refusing = asked.filter(({ action }) => action === "enforce" || action === "deny");
  const enforcing =
    "when atcr-verify log --audited shows nothing new, set action: enforce in the rules, and default: deny";
  const advice = policy.everyone.length === 0 ? `add a DID to trustedDIDs; then, ${enforcing}` : enforcing;
  const taker = last === -1 ? "the default" : `rule "${rules[last]?.name}"`;
  if (rest === "enforce" || rest === "deny") {
    const all = [...refused(refusing), ...(last === -1 ? ["images that no rule matches"] : [])];
    return ok("policy", `${found}: ${all.join(" and ")} are refused`);
  }
  const denied = policy.deniedDigests.size;
  if (refusing.length === 0)
    return warning(
      "policy",
      denied === 0
        ? `${found}: no pull is refused`
        : `${found}: only pulls of ${denied} denied ${denied === 1 ? "digest" : "digests"} are refused`,
      last === -1 ? advice : `${advice}, instead of ${taker}, which matches every name`,
    );
  const some = `${found}: ${refused(refusing).join(" and ")} are refused, and ${taker} lets all others through`;
  // Allowing all others for good may be intended; auditing them for good hardly is.
  return rest === "allow" ? ok("policy", some) : warning("policy", some, advice);
}

/** What rules refuse, as parts of a sentence. */
function refused(rules: TrustPolicy["rules"]): readonly string[] {
  const named = (action: string, what: string): readonly string[] => {
    const names = rules.filter((rule) => rule.action === action).map(({ name }) => `"${name}"`);
    if (names.length === 0) return [];
    const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
    return [
      `${what} that match ${names.length === 1 ? "rule" : "rules"} ${names.slice(0, MAX_NAMED).join(", ")}${more}`,
    ];
  };
  return [...named("enforce", "unsigned images"), ...named("deny", "all images")];
}

function checkSandbox({ policy }: PolicyQuestion, sandbox: ImageReference): CheckResult {
  const image = formatReference(sandbox);
  const selection = selectByName(policy, sandbox);
  const name = "sandbox-image";
  switch (selection.kind) {
    case "exempt":
      return ok(name, `the sandbox image of pods, ${image}, is let through: ${selection.because}`);
    case "judge":
      return selection.rule.action === "audit"
        ? ok(name, `the sandbox image of pods, ${image}, is audited`)
        : warning(
            name,
            `the sandbox image of pods, ${image}, must be signed (rule "${selection.rule.name}")`,
            "check that it is signed, or add a rule for it: otherwise no pod starts",
          );
    case "denied":
    case "no_match":
      return problem(
        name,
        `the sandbox image of pods, ${image}, is refused: ${selection.because}`,
        "add a rule for it: until then no pod starts",
      );
  }
}
