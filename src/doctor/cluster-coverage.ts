import { selects } from "../platform/kubernetes/label-selector.ts";
import { pathOf, type Webhook, type WebhookRule } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";
import { named } from "./cluster-own-webhooks.ts";

/** What must lead to a webhook: ephemeral containers are a subresource of their own, which `pods` does not include. */
const WANTED: readonly Wanted[] = [
  { resource: "pods", operation: "CREATE", what: "pods that are created" },
  { resource: "pods", operation: "UPDATE", what: "pods whose image is changed" },
  { resource: "pods/ephemeralcontainers", operation: "UPDATE", what: "ephemeral containers (kubectl debug)" },
];
/** Names that one finding lists. */
const SHOWN = 10;
/** Set by the API server on every namespace, so that nobody can choose it. */
const NAME_LABEL = "kubernetes.io/metadata.name";
/** The cluster's own, which must start while nothing answers. */
const SYSTEM = "kube-system";
const [RULES, NAMESPACES] = ["cluster-rules", "cluster-namespaces"] as const;

interface Wanted {
  readonly resource: string;
  readonly operation: string;
  readonly what: string;
}

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
  const open = namespaces.filter((one) => leftOut(validating, one));
  const covered = namespaces.filter((one) => !open.includes(one));
  return [
    ...checkRules(validating, covered),
    ...checkPinned(own.filter(({ kind }) => kind === "mutating")),
    ...own.flatMap(checkWidth),
    ...checkOpen(open.filter(({ name }) => !needed.has(name))),
    ...checkBlocked(own, needed, namespaces),
    ...noteExpected(open.filter(({ name }) => needed.has(name))),
    ...noteLabels(validating),
    ...summary(validating, covered),
  ];
}

/** Whether no webhook that is called for new pods selects a namespace. */
export function leftOut(validating: readonly Webhook[], { labels }: LabelledNamespace): boolean {
  return !validating.some(
    ({ namespaceSelector, rules }) => selects(namespaceSelector, labels) && WANTED.some((one) => coveredBy(rules, one)),
  );
}

function checkRules(validating: readonly Webhook[], covered: readonly LabelledNamespace[]): readonly CheckResult[] {
  const findings = WANTED.flatMap((wanted) => {
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
  return findings.length === 0
    ? [ok(RULES, "validating webhooks are called for pods and ephemeral containers")]
    : findings;
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
  const found = `${named(webhook)} has a rule for everything (*): while it fails, nothing in the cluster can be changed`;
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
  const strict = own.filter(
    ({ failurePolicy, rules }) => failurePolicy === "Fail" && WANTED.some((one) => coveredBy(rules, one)),
  );
  return strict.flatMap((webhook) => {
    const blocked = namespaces.filter((one) => needed.has(one.name) && selects(webhook.namespaceSelector, one.labels));
    if (blocked.length === 0) return [];
    const found = `${named(webhook)} is called for pods in ${amongOthers(blocked)}: once all replicas are down, they cannot start again`;
    return [warning(NAMESPACES, found, `leave these out by the label ${NAME_LABEL} in its namespaceSelector`)];
  });
}

function noteExpected(expected: readonly LabelledNamespace[]): readonly CheckResult[] {
  if (expected.length === 0) return [];
  const found = `pods are not verified in ${amongOthers(expected)}, which must start while nothing answers`;
  return [note(NAMESPACES, found)];
}

/** Who may edit a namespace sets its labels, except the one that the API server sets. */
function noteLabels(validating: readonly Webhook[]): readonly CheckResult[] {
  const keys = new Set(validating.flatMap(({ namespaceSelector }) => namespaceSelector.map(({ key }) => key)));
  keys.delete(NAME_LABEL);
  if (keys.size === 0) return [];
  const found = `namespaces are selected by ${[...keys].join(", ")}: who may label a namespace decides which policy judges its pods, if any`;
  return [note(NAMESPACES, found)];
}

/** What a policy does with a refusal is in the server's files, and the probe is refused even where it only audits. */
function summary(validating: readonly Webhook[], covered: readonly LabelledNamespace[]): readonly CheckResult[] {
  if (covered.length === 0) return [];
  const paths = new Map<string, number>();
  for (const { labels } of covered) {
    const asked = validating.filter(
      ({ namespaceSelector, rules }) =>
        selects(namespaceSelector, labels) && WANTED.some((one) => coveredBy(rules, one)),
    );
    for (const path of new Set(asked.map(pathOf))) paths.set(path, (paths.get(path) ?? 0) + 1);
  }
  const by = [...paths].map(([path, count]) => `${count} by ${path}`).join(", ");
  const unknown = "whether a policy refuses or only audits is not known here: see its file";
  return [ok(NAMESPACES, `pods of ${covered.length} namespaces are judged: ${by}; ${unknown}`)];
}

function coveredBy(rules: readonly WebhookRule[], { resource, operation }: Wanted): boolean {
  return rules.some((rule) => covers(rule, resource, operation));
}

/** Whether a rule matches a resource of the core group, version v1. */
function covers(
  { apiGroups, apiVersions, operations, resources, scope }: WebhookRule,
  resource: string,
  operation: string,
): boolean {
  const [main = "", sub] = resource.split("/");
  const forms = sub === undefined ? [main, "*", "*/*"] : [resource, `${main}/*`, `*/${sub}`, "*/*"];
  return (
    scope !== "Cluster" &&
    apiGroups.some((group) => group === "" || group === "*") &&
    apiVersions.some((version) => version === "v1" || version === "*") &&
    operations.some((one) => one === operation || one === "*") &&
    resources.some((one) => forms.includes(one))
  );
}

function amongOthers(namespaces: readonly LabelledNamespace[]): string {
  const shown = namespaces.slice(0, SHOWN).map(({ name }) => name);
  const more = namespaces.length - shown.length;
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${more} more`;
}
