import type { WebhookRule } from "../platform/kubernetes/webhook.ts";

/** What must lead to a webhook: ephemeral containers are a subresource of their own, which `pods` does not include. */
export const WANTED: readonly Wanted[] = [
  { resource: "pods", operation: "CREATE", what: "pods that are created" },
  { resource: "pods", operation: "UPDATE", what: "pods whose image is changed" },
  { resource: "pods/ephemeralcontainers", operation: "UPDATE", what: "ephemeral containers (kubectl debug)" },
];

interface Wanted {
  readonly resource: string;
  readonly operation: string;
  readonly what: string;
}

/** Whether any kind of request that has an image of a pod leads to a webhook with these rules. */
export function seesPods(rules: readonly WebhookRule[]): boolean {
  return WANTED.some((wanted) => coveredBy(rules, wanted));
}

export function coveredBy(rules: readonly WebhookRule[], { resource, operation }: Wanted): boolean {
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
