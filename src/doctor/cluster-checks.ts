import { field, type JsonObject } from "../core/encoding/json.ts";
import { HttpFailure } from "../io/net/exchange.ts";
import type { ApiAnswer, AskApi } from "../platform/kubernetes/api-client.ts";
import { labelsIn, mapIn, mapsIn, nameOf, textIn } from "../platform/kubernetes/api-object.ts";
import { WEBHOOK_LISTS, type Webhook, type WebhookKind, webhooksOf } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import { checkAuthority } from "./cluster-authority.ts";
import { checkCoverage, type LabelledNamespace, leftOut } from "./cluster-coverage.ts";
import {
  checkGatekeeper,
  checkKyverno,
  KYVERNO_LISTS,
  ownKyvernoPolicies,
  ownProviders,
  PROVIDERS,
} from "./cluster-other-gates.ts";
import { checkOwnWebhooks } from "./cluster-own-webhooks.ts";
import { probeCluster } from "./cluster-probe.ts";
import { ADMISSION_BINDINGS, ADMISSION_POLICIES, checkSafetyNet } from "./cluster-safety-net.ts";
import { checkServicesOf } from "./cluster-service.ts";
import { checkWebhookSettings, showConditions } from "./cluster-settings.ts";

const API = "cluster-api";

export interface ClusterQuestion {
  readonly ask: AskApi;
  /** For people: the API server, and where its address is from. */
  readonly server: string;
  /** Where the pod of the probe would be created. */
  readonly namespace: string;
  /** Milliseconds that the server has for one image. */
  readonly deadline: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Of this program. */
  readonly build: string;
}

/** Whether a cluster has this program verify the images of its pods. Nothing in it is changed. */
export async function checkCluster(question: ClusterQuestion): Promise<readonly CheckResult[]> {
  const { ask, server } = question;
  try {
    const { status, json } = await ask({ method: "GET", path: "/version" });
    const version = json && textIn(json, "gitVersion");
    if (status !== 200 || version === undefined) return [notAnswered(server, status)];
    return [ok(API, `${server} answers: Kubernetes ${version}`), ...(await checkGates(question))];
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    return [problem(API, `${server} did not answer: ${error.message}`, "see: kubectl cluster-info")];
  }
}

function notAnswered(server: string, status: number): CheckResult {
  const found = `${server} answers with status ${status}`;
  const advice =
    status === 401 ? "its credentials are not accepted: try them with kubectl" : "see: kubectl cluster-info";
  return problem(API, found, advice);
}

async function checkGates(question: ClusterQuestion): Promise<readonly CheckResult[]> {
  const { ask, now, deadline, namespace, build } = question;
  const get = (path: string): Promise<ApiAnswer> => ask({ method: "GET", path });
  const [validating, mutating, namespaces, providers, policies, bindings, ...ofKyverno] = await Promise.all(
    [
      WEBHOOK_LISTS.validating,
      WEBHOOK_LISTS.mutating,
      "/api/v1/namespaces",
      PROVIDERS,
      ADMISSION_POLICIES,
      ADMISSION_BINDINGS,
      ...KYVERNO_LISTS,
    ].map(async (path) => ({ path, ...(await get(path)) })),
  );
  const webhooks = [...webhooksIn(validating, "validating"), ...webhooksIn(mutating, "mutating")];
  const ownedProviders = ownProviders(itemsIn(providers));
  const ownedPolicies = ownKyvernoPolicies(ofKyverno.flatMap(itemsIn));
  const otherGate = ownedProviders.length > 0 ? "Gatekeeper" : ownedPolicies.length > 0 ? "Kyverno" : undefined;
  // What could not be listed may be there.
  const { own, findings } = notListed(validating).length > 0 ? NONE : checkOwnWebhooks(webhooks, otherGate);
  const known = namespacesIn(namespaces);
  const probed = known.find(({ name }) => name === namespace);
  const validatingOwn = own.filter(({ kind }) => kind === "validating");
  const isLeftOut = probed !== undefined && validatingOwn.length > 0 && leftOut(validatingOwn, probed);
  return [
    ...[validating, mutating, namespaces].flatMap((answer) => notListed(answer)),
    ...findings,
    ...own.flatMap((webhook) => checkWebhookSettings(webhook, deadline)),
    ...showConditions(own),
    ...checkAuthorities(own, now),
    ...checkCoverage(own, known),
    ...(await checkServicesOf(own, ask)),
    ...checkGatekeeper(ownedProviders, webhooks, now),
    ...checkKyverno(ownedPolicies, webhooks),
    ...checkSafetyNet(policies?.status === 404 ? undefined : itemsIn(policies), itemsIn(bindings)),
    ...(await probeCluster({ namespace, isLeftOut, build }, ask)),
  ];
}

/** Of the webhooks of a configuration that have the same one, once. */
function checkAuthorities(own: readonly Webhook[], now: number): readonly CheckResult[] {
  const seen = new Map<string, CheckResult>();
  for (const { kind, configuration, caBundle } of own) {
    const what = `the ${kind} webhook configuration ${configuration}`;
    const key = `${what} ${caBundle ?? ""}`;
    if (!seen.has(key)) seen.set(key, checkAuthority(what, caBundle, now));
  }
  return [...seen.values()];
}

const NONE = { own: [], findings: [] } as const;

type Listed = (ApiAnswer & { readonly path: string }) | undefined;

function itemsIn(answer: Listed): readonly JsonObject[] {
  return answer?.status === 200 && answer.json !== undefined ? mapsIn(answer.json, "items") : [];
}

function webhooksIn(answer: Listed, kind: WebhookKind): readonly Webhook[] {
  return itemsIn(answer).flatMap((configuration) => webhooksOf(configuration, kind));
}

/** A namespace that is being deleted takes no new pods. */
function namespacesIn(answer: Listed): readonly LabelledNamespace[] {
  return itemsIn(answer)
    .filter((namespace) => field(mapIn(namespace, "metadata"), "deletionTimestamp") === undefined)
    .map((namespace) => ({ name: nameOf(namespace), labels: labelsIn(mapIn(namespace, "metadata"), "labels") }));
}

/** What this user may not list is not known, and must not look like what is not there. */
function notListed(answer: Listed): readonly CheckResult[] {
  if (answer === undefined || answer.status === 200) return [];
  const what = answer.path.replace(/^.*\//, "");
  const said = (answer.json && textIn(answer.json, "message")) ?? `status ${answer.status}`;
  return [
    warning("cluster-permission", `which ${what} there are is not known: ${said}`, "use an account that may list them"),
  ];
}
