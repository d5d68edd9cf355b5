import type { ImageReference } from "../oci/reference.ts";
import type { PolicyFileRef } from "../policy/policy.ts";
import { selectByName } from "../policy/select.ts";
import { lintRequirements } from "./lint-requirements.ts";
import { lintScopes } from "./lint-scopes.ts";
import { lintSigners } from "./lint-signers.ts";
import { at, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/**
 * Finds certain and likely mistakes in a valid policy; those that show in the signers' identities are found by
 * {@link lintIdentities}.
 *
 * @param sandboxImage the image that a Kubernetes node starts every pod with; undefined without Kubernetes
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

/** Without its sandbox image no pod starts, and that image is not signed in ATProto. */
function lintSandbox({ policy, places }: PolicyQuestion, image: ImageReference): readonly PolicyFinding[] {
  const selection = selectByName(policy, image);
  const name = `${image.host}/${image.path}`;
  if (selection.kind === "exempt" || (selection.kind === "judge" && selection.rule.action === "audit")) return [];
  const because =
    selection.kind === "judge" ? `rule "${selection.rule.name}" requires it to be signed` : selection.because;
  const message = `the sandbox image ${name} would be refused, and without it no pod starts on this node: ${because}`;
  const advice = `put a rule with "action: allow" and the scope ${name} before all others; if the node uses another image, name it with --sandbox-image; without Kubernetes, use --no-sandbox`;
  const place = selection.kind === "no_match" ? places.ofDefault() : places.ofRule(selection.rule.name);
  return [{ severity: "warning", name: "sandbox-refused", message, advice, ...at(place) }];
}

/**
 * Sorts findings by file, in the order in which the files are read, then by line and column. Findings without a
 * place come first.
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
