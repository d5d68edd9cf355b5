import { HttpFailure } from "../io/net/exchange.ts";
import type { AskApi } from "../platform/kubernetes/api-client.ts";
import { mapIn, mapsIn, textIn } from "../platform/kubernetes/api-object.ts";
import type { ServiceReference, Webhook } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";

const REPLICAS = "cluster-replicas";
const SERVICE = "cluster-service";

/** Whether something answers behind the services of these webhooks, each once. */
export async function checkServicesOf(own: readonly Webhook[], ask: AskApi): Promise<readonly CheckResult[]> {
  const services = new Map<string, ServiceReference>();
  for (const { service } of own)
    if (service) services.set(`${service.namespace}/${service.name}:${service.port}`, service);
  const urls = own.flatMap(({ url }) => url ?? []);
  const outside = [...new Set(urls.map((url) => URL.parse(url)?.origin ?? url))].map((origin) =>
    note(SERVICE, `webhooks lead to ${origin}, which only the API server must reach: the probe tells`),
  );
  const found = await Promise.all(
    [...services.values()].flatMap((service) => [checkReplicas(service, ask), checkAnswer(service, ask)]),
  );
  return [...found, ...outside];
}

/** By the EndpointSlices, in which Kubernetes itself counts who is ready. */
async function checkReplicas({ namespace, name }: ServiceReference, ask: AskApi): Promise<CheckResult> {
  const what = `the service ${namespace}/${name}`;
  const query = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${name}` }).toString();
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?${query}`;
  const { status, json } = await ask({ method: "GET", path });
  if (status !== 200 || json === undefined)
    return note(REPLICAS, `how many replicas ${what} has is not known: the API server answers with status ${status}`);
  const ready = mapsIn(json, "items")
    .flatMap((slice) => mapsIn(slice, "endpoints"))
    .filter((endpoint) => mapIn(endpoint, "conditions")["ready"] !== false).length;
  if (ready === 0) {
    const found = `${what} has no replica that is ready: with failurePolicy Fail every pod is refused`;
    return problem(REPLICAS, found, `see: kubectl -n ${namespace} get pods`);
  }
  if (ready > 1) return ok(REPLICAS, `${what} has ${ready} replicas that are ready`);
  const found = `${what} has one replica: while it restarts every pod is refused`;
  return warning(REPLICAS, found, "run at least two");
}

/**
 * Through the API server, which does not verify the certificate of a service there: only the probe shows that it does where it
 * sends reviews.
 */
async function checkAnswer({ namespace, name, port }: ServiceReference, ask: AskApi): Promise<CheckResult> {
  const what = `the service ${namespace}/${name}:${port}`;
  const service = encodeURIComponent(`https:${name}:${port}`);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${service}/proxy/healthz`;
  let status: number;
  let said: string | undefined;
  try {
    const answer = await ask({ method: "GET", path });
    status = answer.status;
    // The API server's own answer, not that of the service.
    if (answer.json !== undefined && textIn(answer.json, "kind") === "Status")
      said = textIn(answer.json, "message") ?? "";
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    return note(SERVICE, `whether ${what} answers is not known: ${error.message}`);
  }
  // The server serves health elsewhere, or demands a certificate there: something is listening.
  if (said === undefined) return ok(SERVICE, `${what} answers the API server`);
  if (status === 404) {
    const found = `${what} does not exist, so the webhooks that lead to it cannot be called: ${said}`;
    return problem(SERVICE, found, `install the server, or see: kubectl -n ${namespace} get services`);
  }
  if (status === 401 || status === 403) return note(SERVICE, `whether ${what} answers is not known: ${said}`);
  return warning(
    SERVICE,
    `${what} does not answer the API server: ${said}`,
    "the probe shows whether reviews reach it",
  );
}
