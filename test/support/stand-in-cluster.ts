import { refusalMessage } from "../../src/core/admission/answer-text.ts";
import { refusalOf } from "../../src/core/verify/answer.ts";
import type { ApiAnswer, ApiRequest, AskApi } from "../../src/platform/kubernetes/api-client.ts";
import { CertificateAuthority } from "./certificates.ts";
import { type Answer, type RecordedRequest, type ServerOptions, StandInServer } from "./http-server.ts";

/** What admission makes of the images of a pod: undefined where it admits them. */
export type Decide = (images: readonly string[]) => Answer | undefined;

/** Objects by the path of their list, or of the object itself. A path that is missing answers with 404, like the API server. */
export type Objects = Readonly<Record<string, unknown>>;

const NS = "atcr-verify";
export const BUILD = "0.0.0+test";
const VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
export const PATHS = {
  validating: VALIDATING,
  mutating: MUTATING,
  namespaces: "/api/v1/namespaces",
  pods: "/api/v1/namespaces/default/pods",
  slices: `/apis/discovery.k8s.io/v1/namespaces/${NS}/endpointslices`,
  proxy: `/api/v1/namespaces/${NS}/services/https%3Aatcr-verify%3A443/proxy/healthz`,
  providers: "/apis/externaldata.gatekeeper.sh/v1beta1/providers",
  kyverno: "/apis/policies.kyverno.io/v1/validatingpolicies",
  policies: "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
  bindings: "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
} as const;

const AUTHORITY = new CertificateAuthority("Webhooks");
export const CA_BUNDLE = Buffer.from(AUTHORITY.cert).toString("base64");

export const list = (...items: readonly unknown[]) => ({ kind: "List", items });

/** Namespaces as the API server labels them. */
export const namespaces = (...names: readonly string[]) =>
  list(...names.map((name) => ({ metadata: { name, labels: { "kubernetes.io/metadata.name": name } } })));

export const SELECTOR = {
  matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", NS] }],
};

/** A webhook as integrations/kubernetes registers it. @param changes fields that replace its own */
export const webhook = (changes: Readonly<Record<string, unknown>> = {}, path = "/admit") => ({
  name: "admit.atcr-verify.example",
  clientConfig: { service: { namespace: NS, name: "atcr-verify", path, port: 443 }, caBundle: CA_BUNDLE },
  failurePolicy: "Fail",
  timeoutSeconds: 10,
  admissionReviewVersions: ["v1"],
  sideEffects: "None",
  matchPolicy: "Equivalent",
  reinvocationPolicy: "IfNeeded",
  namespaceSelector: SELECTOR,
  objectSelector: {},
  rules: [
    {
      apiGroups: [""],
      apiVersions: ["v1"],
      operations: ["CREATE", "UPDATE"],
      resources: ["pods", "pods/ephemeralcontainers"],
      scope: "Namespaced",
    },
  ],
  ...changes,
});

export const configuration = (...webhooks: readonly unknown[]) => ({
  metadata: { name: "atcr-verify", labels: { "app.kubernetes.io/name": "atcr-verify" } },
  webhooks,
});

/** A cluster that is set up as it should be. */
export const HEALTHY: Objects = {
  "/version": { gitVersion: "v1.36.4" },
  [VALIDATING]: list(configuration(webhook())),
  [MUTATING]: list(configuration(webhook({ name: "mutate.atcr-verify.example" }, "/mutate"))),
  [PATHS.namespaces]: namespaces("default", "kube-system", NS, "shop"),
  [PATHS.pods]: list({ metadata: { name: "web-1" }, spec: { containers: [{ name: "web", image: "nginx" }] } }),
  [PATHS.slices]: list({ endpoints: [{ conditions: { ready: true } }, { conditions: {} }] }),
  [PATHS.proxy]: { ok: true },
  [PATHS.policies]: list({ metadata: { name: "atcr-verify-digests" }, spec: { failurePolicy: "Fail" } }),
  [PATHS.bindings]: list({ spec: { policyName: "atcr-verify-digests", validationActions: ["Deny"] } }),
};

/** The API server's words for what a webhook refuses. */
export const denied = (message: string, status = 403): Answer => ({
  status,
  json: { kind: "Status", status: "Failure", message },
});

/** Refuses the name of the probe, as the server does. */
export const refuseProbe: Decide = (images) => {
  const [, digest] = /\/atcr-verify-probe\/[0-9a-f]+@(sha256:[0-9a-f]{64})$/.exec(images.at(-1) ?? "") ?? [];
  if (digest === undefined) return undefined;
  const reason = `atcr-verify ${BUILD} was asked about ${digest}, and always refuses it`;
  // In the server's own words: the doctor has to find its image in what they leave of it.
  const said = refusalMessage(images.map((image) => ({ image, answer: refusalOf("policy.probe", reason), reason })));
  return denied(`admission webhook "admit.atcr-verify.example" denied the request: ${said}`);
};

/** The answer of an API server that has these objects; it stores nothing, and admits dry runs alone. */
export function answerAs(objects: Objects, decide: Decide, { method, path: target, body }: ApiRequest): Answer {
  const { pathname, searchParams } = new URL(target, "http://api.test");
  if (method === "GET") {
    const found = objects[pathname];
    if (found === undefined) return denied(`the server could not find the requested resource (${pathname})`, 404);
    return typeof found === "object" && found !== null && "status" in found ? (found as Answer) : { json: found };
  }
  if (searchParams.get("dryRun") !== "All") throw new Error(`${method} ${target} would be stored`);
  const { spec = {} } = body as { spec?: Record<string, { image: string }[] | undefined> };
  const images = ["initContainers", "containers", "ephemeralContainers"].flatMap((name) => spec[name] ?? []);
  return decide(images.map(({ image }) => image)) ?? { status: 201, json: body };
}

/** The same in memory. @param changes objects that replace those of {@link HEALTHY}; undefined: there is none */
export function standInCluster(changes: Objects = {}, decide: Decide = refuseProbe): AskApi {
  return (request) => {
    const { status = 200, json } = answerAs({ ...HEALTHY, ...changes }, decide, request);
    return Promise.resolve({ status, ...(json !== undefined && { json }) } as ApiAnswer);
  };
}

/** And as a server. */
export class StandInApiServer extends StandInServer {
  objects: Objects = HEALTHY;
  decide: Decide = refuseProbe;

  static start(options: ServerOptions = {}): Promise<StandInApiServer> {
    return new StandInApiServer(options).listen();
  }

  protected answer({ method, url, body }: RecordedRequest): Answer {
    const parsed: unknown = body.length === 0 ? undefined : JSON.parse(Buffer.from(body).toString());
    return answerAs(this.objects, this.decide, { method: method as ApiRequest["method"], path: url, body: parsed });
  }
}
