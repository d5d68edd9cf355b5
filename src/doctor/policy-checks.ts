import { formatReference, type ImageReference } from "../oci/reference.ts";
import type { PolicyFinding, PolicyQuestion } from "../policy/finding.ts";
import { lintPolicy } from "../policy/lint.ts";
import { selectByName } from "../policy/select.ts";
import { type Finding, ok, problem, warning } from "./check.ts";

/**
 * What the policy does with pulls, and with the image that every pod starts with.
 *
 * @param path of the policy
 * @param sandbox the node's, where it runs pods
 */
export function checkPolicy(
  question: PolicyQuestion,
  path: string,
  sandbox: ImageReference | undefined,
): readonly Finding[] {
  // The sandbox image is looked at below: on a node that is no warning.
  const found = lintPolicy(question, undefined);
  const [errors, warnings] = (["error", "warning"] as const).map((severity) =>
    found.filter((one) => one.severity === severity),
  );
  const check = `see: atcr-verify policy check ${path}`;
  const lint = (of: readonly PolicyFinding[] = []) =>
    `${path}: ${of.length} ${of.length === 1 ? "finding" : "findings"}, the first: ${of[0]?.message ?? ""}`;
  return [
    effect(question, path),
    ...(errors?.length ? [problem("policy-errors", lint(errors), check)] : []),
    ...(warnings?.length ? [warning("policy-warnings", lint(warnings), check)] : []),
    ...(sandbox ? [checkSandbox(question, sandbox)] : []),
  ];
}

/** In a word: what enable prints, too. */
export function effect({ policy }: PolicyQuestion, path: string): Finding {
  const count = (action: string) => policy.rules.filter((rule) => rule.action === action).length;
  const counts = ["enforce", "audit", "allow", "deny"].map((action) => `${count(action)} ${action}`).join(", ");
  const found = `${path}: rules: ${counts}; default ${policy.fallback}`;
  const refuses = count("enforce") + count("deny") > 0 || policy.fallback === "deny";
  return refuses
    ? ok("policy", `${found}: pulls are refused`)
    : warning(
        "policy",
        `${found}: no pull is refused, all are let through`,
        "write rules with action: enforce, and default: deny, when the log shows nothing new",
      );
}

function checkSandbox({ policy }: PolicyQuestion, sandbox: ImageReference): Finding {
  const image = formatReference(sandbox);
  const selection = selectByName(policy, sandbox);
  const name = "sandbox-image";
  switch (selection.kind) {
    case "exempt":
      return ok(name, `the image that pods start with, ${image}, is let through: ${selection.because}`);
    case "judge":
      return selection.rule.action === "audit"
        ? ok(name, `the image that pods start with, ${image}, is audited`)
        : warning(
            name,
            `the image that pods start with, ${image}, must be signed (rule "${selection.rule.name}")`,
            "without its signature no pod starts: exempt it, or see that it is signed",
          );
    case "denied":
    case "no_match":
      return problem(
        name,
        `the image that pods start with, ${image}, is refused: ${selection.because}`,
        "no pod starts so: write a rule with action: allow for it",
      );
  }
}
