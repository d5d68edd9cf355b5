import { field, type JsonObject } from "../../core/encoding/json.ts";
import { labelsIn, mapIn, mapsIn, nameOf, numberIn, textIn, textsIn } from "./api-object.ts";
import { type LabelSelector, labelSelector } from "./label-selector.ts";

/** A webhook of a ValidatingWebhookConfiguration or MutatingWebhookConfiguration (admissionregistration.k8s.io/v1). */
export interface Webhook {
  readonly kind: WebhookKind;
  /** Name of its configuration. */
  readonly configuration: string;
  /** Labels of its configuration. */
  readonly labels: ReadonlyMap<string, string>;
  readonly name: string;
  /** Where the API server sends reviews: a service, or a URL, never both. */
  readonly service?: ServiceReference;
  readonly url?: string;
  /** Base64 of PEM. */
  readonly caBundle?: string;
  readonly failurePolicy: string;
  /** Seconds. */
  readonly timeout: number;
  readonly reviewVersions: readonly string[];
  readonly sideEffects: string;
  readonly matchPolicy: string;
  readonly reinvocationPolicy: string;
  readonly rules: readonly WebhookRule[];
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
  readonly matchConditions: readonly MatchCondition[];
}

export type WebhookKind = "validating" | "mutating";

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
  readonly port: number;
}

export interface WebhookRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  /** `pods`, `pods/ephemeralcontainers`, `pods/*`, `*`. A resource does not include its subresources. */
  readonly resources: readonly string[];
  /** `Namespaced`, `Cluster` or `*`. */
  readonly scope: string;
}

export interface MatchCondition {
  readonly name: string;
  /** CEL. */
  readonly expression: string;
}

/** Path of a kind's list in the API. */
export const WEBHOOK_LISTS: Readonly<Record<WebhookKind, string>> = {
  validating: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
  mutating: "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
};

/** The webhooks of one configuration, with the API's own defaults where a field is missing. */
export function webhooksOf(configuration: JsonObject, kind: WebhookKind): readonly Webhook[] {
  const metadata = mapIn(configuration, "metadata");
  return mapsIn(configuration, "webhooks").map((webhook) => {
    const client = mapIn(webhook, "clientConfig");
    const url = textIn(client, "url");
    const caBundle = textIn(client, "caBundle");
    return {
      kind,
      configuration: nameOf(configuration),
      labels: labelsIn(metadata, "labels"),
      name: textIn(webhook, "name") ?? "",
      ...(field(client, "service") !== undefined && { service: serviceOf(mapIn(client, "service")) }),
      ...(url !== undefined && { url }),
      ...(caBundle !== undefined && { caBundle }),
      failurePolicy: textIn(webhook, "failurePolicy") ?? "Fail",
      timeout: numberIn(webhook, "timeoutSeconds") ?? 10,
      reviewVersions: textsIn(webhook, "admissionReviewVersions"),
      sideEffects: textIn(webhook, "sideEffects") ?? "Unknown",
      matchPolicy: textIn(webhook, "matchPolicy") ?? "Equivalent",
      reinvocationPolicy: textIn(webhook, "reinvocationPolicy") ?? "Never",
      rules: mapsIn(webhook, "rules").map(ruleOf),
      namespaceSelector: labelSelector(mapIn(webhook, "namespaceSelector")),
      objectSelector: labelSelector(mapIn(webhook, "objectSelector")),
      matchConditions: mapsIn(webhook, "matchConditions").map((condition) => ({
        name: textIn(condition, "name") ?? "",
        expression: textIn(condition, "expression") ?? "",
      })),
    };
  });
}

/** The path that reviews are posted to. */
export function pathOf({ service, url }: Webhook): string {
  return service?.path ?? URL.parse(url ?? "")?.pathname ?? "";
}

function serviceOf(service: JsonObject): ServiceReference {
  return {
    namespace: textIn(service, "namespace") ?? "",
    name: textIn(service, "name") ?? "",
    path: textIn(service, "path") ?? "",
    port: numberIn(service, "port") ?? 443,
  };
}

function ruleOf(rule: JsonObject): WebhookRule {
  return {
    apiGroups: textsIn(rule, "apiGroups"),
    apiVersions: textsIn(rule, "apiVersions"),
    operations: textsIn(rule, "operations"),
    resources: textsIn(rule, "resources"),
    scope: textIn(rule, "scope") ?? "*",
  };
}
