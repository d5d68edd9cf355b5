import { field, type JsonObject } from "../core/encoding/json.ts";
import { ADD_AUTHORITY } from "../io/net/authorities.ts";
import { HttpFailure } from "../io/net/exchange.ts";
import type { ApiAnswer, AskApi } from "../platform/kubernetes/api-client.ts";
import { labelsIn, mapIn, mapsIn, nameOf, textIn } from "../platform/kubernetes/api-object.ts";
import { WEBHOOK_LISTS, type Webhook, type WebhookKind, webhooksOf } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import { checkAuthority } from "./cluster-authority.ts";
import { checkCoverage, type LabelledNamespace, selecting } from "./cluster-coverage.ts";
import { ofEach } from "./cluster-each-webhook.ts";
import {
  checkGatekeeper,
  checkKyverno,
  KYVERNO_LISTS,
  ownKyvernoPolicies,
  ownProviders,
  PROVIDERS,
} from "./cluster-other-gates.ts";
import { checkOwnWebhooks, checkPinning } from "./cluster-own-webhooks.ts";
import { probeCluster } from "./cluster-probe.ts";
import { ADMISSION_BINDINGS, ADMISSION_POLICIES, checkSafetyNet } from "./cluster-safety-net.ts";
import { checkServicesOf } from "./cluster-service.ts";
import { checkWebhookSettings, showConditions } from "./cluster-settings.ts";

const API = "cluster-api";
/** Of Kubernetes 1: the first version that is supported, and that has ValidatingAdmissionPolicy. */
const LEAST_MINOR = 30;

export interface ClusterQuestion {
  readonly ask: AskApi;
  /** For people: the API server, and where its address is from. */
  readonly server: string;
  /** Where the pod of the probe would be created. */
  readonly namespace: string;
  /** Milliseconds that the server has for one image. */
  readonly deadline: number;
  /** Whether the server is known to pin nothing, but to resolve tags itself. */
  readonly resolvesTags: boolean;
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
    return [checkVersion(server, version), ...(await checkGates(question))];
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    return [noAnswer(server, error)];
  }
}

/** Only the kubeconfig names the authority of an API server. */
function noAnswer(server: string, { message }: HttpFailure): CheckResult {
  const isUntrusted = message.includes(ADD_AUTHORITY);
  const found = `${server} did not answer: ${message.replace(`: ${ADD_AUTHORITY}`, "")}`;
  const name = "name the cluster's authority by certificate-authority-data in the kubeconfig";
  return problem(API, found, isUntrusted ? name : "see: kubectl cluster-info");
}

function checkVersion(server: string, version: string): CheckResult {
  const found = `${server} answers: Kubernetes ${version}`;
  const [, minor] = /^v?1\.(\d{1,4})\b/.exec(version) ?? [];
  if (minor === undefined || Number(minor) >= LEAST_MINOR) return ok(API, found);
  const older = `${found}, which is older than 1.${LEAST_MINOR}: it may ignore matchConditions`;
  return warning(API, older, `use Kubernetes 1.${LEAST_MINOR} or later`);
}

function notAnswered(server: string, status: number): CheckResult {
  const found = `${server} answers with status ${status}`;
  const advice =
    status === 401 ? "its credentials are not accepted: try them with kubectl" : "see: kubectl cluster-info";
  return problem(API, found, advice);
}

async function checkGates(question: ClusterQuestion): Promise<readonly CheckResult[]> {
  const { ask, now, deadline, namespace, build, resolvesTags } = question;
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
  const isKnown = probed !== undefined && validatingOwn.length > 0;
  return [
    ...[validating, mutating, namespaces].flatMap((answer) => notListed(answer)),
    ...findings,
    ...(resolvesTags || notListed(mutating).length > 0 ? [] : checkPinning(own)),
    ...ofEach(own, (webhook) => checkWebhookSettings(webhook, deadline)),
    ...ofEach(own, showConditions),
    ...ofEach(own, ({ caBundle }) => [checkAuthority(caBundle, now)]),
    ...checkCoverage(own, known),
    ...(await checkServicesOf(own, ask)),
    ...checkGatekeeper(ownedProviders, webhooks, now),
    ...checkKyverno(ownedPolicies, webhooks),
    ...checkSafetyNet(policies?.status === 404 ? undefined : itemsIn(policies), itemsIn(bindings)),
    ...(await probeCluster(
      { namespace, own, build, ...(isKnown && { selecting: selecting(validatingOwn, probed) }) },
      ask,
    )),
  ];
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
