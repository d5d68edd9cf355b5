import type { ImageReference } from "../oci/reference.ts";
import type { PolicyFileRef } from "../policy/policy.ts";
import { selectByName } from "../policy/select.ts";
import { lintRequirements } from "./lint-requirements.ts";
import { lintScopes } from "./lint-scopes.ts";
import { lintSigners } from "./lint-signers.ts";
import { at, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/**
 * What is wrong, or likely to be, with a policy that is valid. Asks nobody: what the signers'
 * identities say is for {@link lintIdentities}.
 *
 * @param sandboxImage the image that a Kubernetes node starts every pod with; undefined on others
 */
export function lintPolicy(
  question: PolicyQuestion,
  sandboxImage: ImageReference | undefined,
): readonly PolicyFinding[] {
  const findings = [
    ...lintScopes(question),
    ...lintRequirements(question),
    ...lintSigners(question),
    ...(sandboxImage === undefined ? [] : lintSandbox(question, sandboxImage)),
  ];
  return findingsInOrder(findings, question.policy.files);
}

/** Without its sandbox image no pod starts, and nobody signs that image in ATProto. */
function lintSandbox({ policy, places }: PolicyQuestion, image: ImageReference): readonly PolicyFinding[] {
  const selection = selectByName(policy, image);
  const name = `${image.host}/${image.path}`;
  if (selection.kind === "exempt" || (selection.kind === "judge" && selection.rule.action === "audit")) return [];
  const because =
    selection.kind === "judge" ? `rule "${selection.rule.name}" requires signatures of it` : selection.because;
  const message = `the sandbox image ${name}, without which this node starts no pod, would be refused: ${because}`;
  const advice = `put a rule with "action: allow" and the scope ${name} before all others, or name the node's own image by --sandbox-image, or write --no-sandbox for nodes without Kubernetes`;
  const place = selection.kind === "no_match" ? places.ofDefault() : places.ofRule(selection.rule.name);
  return [{ severity: "warning", name: "sandbox-refused", message, advice, ...at(place) }];
}

/**
 * Errors and warnings in the order in which the files are read, and in each as they stand there. What has
 * no place comes first.
 */
export function findingsInOrder(
  findings: readonly PolicyFinding[],
  files: readonly Pick<PolicyFileRef, "name">[],
): readonly PolicyFinding[] {
  const rank = ({ place }: PolicyFinding) =>
    place === undefined
      ? { file: -1, line: 0, column: 0 }
      : { file: files.findIndex(({ name }) => name === place.file), line: place.line, column: place.column };
  return findings.toSorted((a, b) => {
    const [x, y] = [rank(a), rank(b)];
    return x.file - y.file || x.line - y.line || x.column - y.column;
  });
}
