import { selects } from "../platform/kubernetes/label-selector.ts";
import { pathOf, type Webhook } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import { listed, ofEach } from "./cluster-each-webhook.ts";
import { coveredBy, seesPods, WANTED } from "./cluster-rules.ts";

/** Set by the API server on every namespace, so that nobody can choose it. */
const NAME_LABEL = "kubernetes.io/metadata.name";
/** The cluster's own, which must start while nothing answers. */
const SYSTEM = "kube-system";
const [RULES, NAMESPACES] = ["cluster-rules", "cluster-namespaces"] as const;

export interface LabelledNamespace {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** Where the namespaces are not known: whether any webhook covers it. */
const ANYWHERE: LabelledNamespace = { name: "any namespace", labels: new Map() };

/**
 * Whether everything that has an image of a pod leads to a webhook of this program, in every namespace: one may
 * audit in some, and another enforce in others.
 *
 * @param own webhooks of this program
 * @param namespaces of the cluster; empty where they are not known
 */
export function checkCoverage(
  own: readonly Webhook[],
  namespaces: readonly LabelledNamespace[],
): readonly CheckResult[] {
  const validating = own.filter(({ kind }) => kind === "validating");
  if (validating.length === 0) return [];
  const needed = new Set([SYSTEM, ...own.flatMap(({ service }) => service?.namespace ?? [])]);
  const open = namespaces.filter((one) => selecting(validating, one).length === 0);
  const covered = namespaces.filter((one) => !open.includes(one));
  return [
    ...checkRules(validating, covered),
    ...checkPinned(own.filter(({ kind }) => kind === "mutating")),
    ...ofEach(own, checkWidth),
    ...checkOpen(open.filter(({ name }) => !needed.has(name))),
    ...checkBlocked(own, needed, namespaces),
    ...summary(
      validating,
      covered,
      open.filter(({ name }) => needed.has(name)),
    ),
  ];
}

/** Those webhooks that are called for pods of a namespace. */
export function selecting(validating: readonly Webhook[], { labels }: LabelledNamespace): readonly Webhook[] {
  return validating.filter(({ namespaceSelector, rules }) => selects(namespaceSelector, labels) && seesPods(rules));
}

function checkRules(validating: readonly Webhook[], covered: readonly LabelledNamespace[]): readonly CheckResult[] {
  return WANTED.flatMap((wanted) => {
    const called = validating.filter(({ rules }) => coveredBy(rules, wanted));
    const missing = (covered.length === 0 ? [ANYWHERE] : covered).filter(
      ({ labels }) =>
        !called.some(({ namespaceSelector }) => covered.length === 0 || selects(namespaceSelector, labels)),
    );
    if (missing.length === 0) return [];
    const { resource, operation, what } = wanted;
    const found = `no validating webhook is called for ${operation} of ${resource} in ${amongOthers(missing)}: ${what} are not verified`;
    return [problem(RULES, found, `add ${operation} of ${resource} to the rules`)];
  });
}

/** What is not pinned is refused, so a gap is no hole. */
function checkPinned(mutating: readonly Webhook[]): readonly CheckResult[] {
  if (mutating.length === 0) return [];
  return WANTED.filter((wanted) => !mutating.some(({ rules }) => coveredBy(rules, wanted))).map(
    ({ resource, operation, what }) =>
      warning(
        RULES,
        `no mutating webhook is called for ${operation} of ${resource}: ${what} keep their tags, and are refused`,
        `add ${operation} of ${resource} to the rules`,
      ),
  );
}

function checkWidth(webhook: Webhook): readonly CheckResult[] {
  if (!webhook.rules.some(({ resources }) => resources.some((one) => /^\*(?:\/\*)?$/.test(one)))) return [];
  const found = "a rule for everything (*): while it fails, nothing in the cluster can be changed";
  return [warning(RULES, found, "name pods, pods/ephemeralcontainers and kinds of workloads alone")];
}

function checkOpen(others: readonly LabelledNamespace[]): readonly CheckResult[] {
  if (others.length === 0) return [];
  const found = `pods are not verified in ${amongOthers(others)}, which every namespaceSelector leaves out`;
  return [warning(NAMESPACES, found, "leave out only what must start while nothing answers")];
}

/** With failurePolicy Fail, what a webhook needs to start must not wait for it. */
function checkBlocked(
  own: readonly Webhook[],
  needed: ReadonlySet<string>,
  namespaces: readonly LabelledNamespace[],
): readonly CheckResult[] {
  const strict = own.filter(({ failurePolicy, rules }) => failurePolicy === "Fail" && seesPods(rules));
  return ofEach(strict, (webhook) => {
    const blocked = namespaces.filter((one) => needed.has(one.name) && selects(webhook.namespaceSelector, one.labels));
    if (blocked.length === 0) return [];
    const found = `called for pods in ${amongOthers(blocked)}: once all replicas are down, they cannot start again`;
    return [warning(NAMESPACES, found, `leave these out by the label ${NAME_LABEL} in its namespaceSelector`)];
  });
}

/** That they are selected is no proof that they are judged. What a policy does with a refusal is in the server's files. */
function summary(
  validating: readonly Webhook[],
  covered: readonly LabelledNamespace[],
  expected: readonly LabelledNamespace[],
): readonly CheckResult[] {
  const paths = new Map<string, number>();
  for (const namespace of covered)
    for (const path of new Set(selecting(validating, namespace).map(pathOf)))
      paths.set(path, (paths.get(path) ?? 0) + 1);
  const by = [...paths].map(([path, count]) => `${count} for ${path}`).join(", ");
  const chosen = `pods of ${covered.length} namespaces are selected${by === "" ? "" : `: ${by}`}`;
  const out =
    expected.length === 0 ? "" : `; not those of ${amongOthers(expected)}, which must start while nothing answers`;
  // Anyone who may edit a namespace sets its labels, except the one that the API server sets.
  const keys = new Set(validating.flatMap(({ namespaceSelector }) => namespaceSelector.map(({ key }) => key)));
  keys.delete(NAME_LABEL);
  const labels =
    keys.size === 0
      ? ""
      : `; who may label a namespace (${[...keys].join(", ")}) decides which judges its pods, if any`;
  return covered.length + expected.length === 0 ? [] : [ok(NAMESPACES, `${chosen}${out}${labels}`)];
}

function amongOthers(namespaces: readonly LabelledNamespace[]): string {
  return listed(namespaces.map(({ name }) => name));
}
