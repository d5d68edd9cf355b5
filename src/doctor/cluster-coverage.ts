import { type LabelSelector, selectorText, selects } from "../platform/kubernetes/label-selector.ts";
import type { Webhook, WebhookRule } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";
import { named } from "./cluster-own-webhooks.ts";

/** What must lead to the webhook: ephemeral containers are a subresource of their own, which `pods` does not include. */
const WANTED = [
  { resource: "pods", operation: "CREATE", what: "pods that are created" },
  { resource: "pods", operation: "UPDATE", what: "pods whose image is changed" },
  { resource: "pods/ephemeralcontainers", operation: "UPDATE", what: "ephemeral containers (kubectl debug)" },
] as const;
/** Names that one finding lists. */
const SHOWN = 10;
/** Set by the API server on every namespace, so that nobody can choose it. */
const NAME_LABEL = "kubernetes.io/metadata.name";
/** The cluster's own, which must start while nothing answers. */
const SYSTEM = "kube-system";

export interface LabelledNamespace {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** Whether the rules of a webhook lead everything to it that has an image of a pod, and nothing else. */
export function checkRules(webhook: Webhook): readonly CheckResult[] {
  const name = "cluster-rules";
  const { rules, kind } = webhook;
  const missing = WANTED.filter(({ resource, operation }) => !rules.some((rule) => covers(rule, resource, operation)));
  const wide = rules.some(({ resources }) => resources.some((one) => /^\*(?:\/\*)?$/.test(one)));
  const findings: CheckResult[] = missing.map(({ resource, operation, what }) => {
    const found = `${named(webhook)} is not called for ${operation} of ${resource}`;
    const advice = `add ${operation} of ${resource} to its rules`;
    return kind === "validating"
      ? problem(name, `${found}: ${what} are not verified`, advice)
      : warning(name, `${found}: ${what} keep their tags, and are refused`, advice);
  });
  if (wide) {
    const found = `${named(webhook)} has a rule for everything (*): while it fails, nothing in the cluster can be changed`;
    findings.push(warning(name, found, "name pods, pods/ephemeralcontainers and kinds of workloads alone"));
  }
  return findings.length === 0
    ? [ok(name, `${named(webhook)} is called for pods and their ephemeral containers`)]
    : findings;
}

/** Whether a rule matches a resource of the core group, version v1. */
function covers(
  { apiGroups, apiVersions, operations, resources, scope }: WebhookRule,
  resource: string,
  operation: string,
) {
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

/** Namespaces whose pods no validating webhook of this program sees, and those that it should leave out. */
export function checkNamespaces(
  own: readonly Webhook[],
  namespaces: readonly LabelledNamespace[],
): readonly CheckResult[] {
  const name = "cluster-namespaces";
  const validating = own.filter(({ kind }) => kind === "validating");
  if (validating.length === 0) return [];
  const needed = new Set([SYSTEM, ...own.flatMap(({ service }) => service?.namespace ?? [])]);
  const open = namespaces.filter((namespace) => leftOut(validating, namespace));
  const [expected, others] = [open.filter((one) => needed.has(one.name)), open.filter((one) => !needed.has(one.name))];
  const findings: CheckResult[] = [];
  if (others.length > 0) {
    const found = `pods are not verified in ${amongOthers(others)}, which the namespaceSelector leaves out`;
    findings.push(warning(name, found, "leave out only what must start while nothing answers"));
  }
  for (const webhook of own.filter(({ failurePolicy }) => failurePolicy === "Fail")) {
    const blocked = namespaces.filter((one) => needed.has(one.name) && selects(webhook.namespaceSelector, one.labels));
    if (blocked.length > 0) {
      const found = `${named(webhook)} is called for pods in ${amongOthers(blocked)}: once all replicas are down, they cannot start again`;
      findings.push(warning(name, found, `leave these out by the label ${NAME_LABEL} in its namespaceSelector`));
    }
    findings.push(...checkLabels(webhook));
  }
  const allowed = expected.length === 0 ? "" : ", which must start while it does not answer";
  const rest = namespaces.length - open.length;
  if (expected.length > 0) findings.push(note(name, `pods are not verified in ${amongOthers(expected)}${allowed}`));
  if (others.length === 0) findings.push(ok(name, `pods of ${rest} namespaces are verified`));
  return findings;
}

/** Who may edit a namespace sets its labels, except the one that the API server sets. */
function checkLabels(webhook: Webhook): readonly CheckResult[] {
  const others: LabelSelector = webhook.namespaceSelector.filter(({ key }) => key !== NAME_LABEL);
  if (others.length === 0 || webhook.kind === "mutating") return [];
  const found = `${named(webhook)} selects namespaces by ${selectorText(others)}: whether pods are verified is up to those who may label a namespace`;
  return [note("cluster-namespaces", found)];
}

/** Whether no webhook selects a namespace. */
export function leftOut(validating: readonly Webhook[], { labels }: LabelledNamespace): boolean {
  return !validating.some(({ namespaceSelector }) => selects(namespaceSelector, labels));
}

function amongOthers(namespaces: readonly LabelledNamespace[]): string {
  const shown = namespaces.slice(0, SHOWN).map(({ name }) => name);
  const more = namespaces.length - shown.length;
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${more} more`;
}
